"""What in a readable data set is likely a mistake: warnings with the line of the config that settles them."""

from pathlib import Path

from samcarry.data.cases import Case
from samcarry.data.oddities import Look, MaskLook, find_oddities, network_size, overview

SIZE = (96, 64)


def data(*looks):
    cases = [
        Case(f"k{i}", f"p{i}", "train", None, Path(f"i/k{i}.png"), Path(f"l/k{i}")) for i in range(len(looks))
    ]
    return cases, {case.case: look for case, look in zip(cases, looks, strict=True)}


def odd(*looks, size=SIZE, window=None):
    return find_oddities(*data(*looks), size, 16, window)


def look(size=(960, 640), high=255, **shares):
    return Look(size, 0, high, {name: MaskLook(share) for name, share in shares.items()})


def masks(**of_class):
    return Look((960, 640), 0, 255, of_class)


def test_usual_data_give_no_warning():
    assert odd(*[look(lung=0.17)] * 5) == []


def test_12_bits_in_a_16_bit_file_need_a_window():
    (line,) = odd(look(high=14), look(high=16))
    assert "14" not in line.split("brightest")[0]
    assert "16 of 255" in line
    assert "2 of 2 images" in line
    assert "`images: {window: [0.5, 99.5]}`" in line
    assert odd(look(high=14), window=[0.5, 99.5]) == []
    assert not any("window" in line for line in odd(look(high=0)))  # an empty image is not one of 12 bits


def test_text_in_images_is_reported():
    looks = (look(), Look((960, 640), 0, 255, lines=2))
    (line,) = odd(*looks)
    assert "i/k1.png: lines of text near the borders" in line
    assert "1 of 2 images" in line
    assert "`images: {mask_text: true}`" in line


def test_squeezed_images_name_a_better_size():
    (line,) = odd(*[look(size=(500, 2000))] * 3, size=(96, 96))
    assert "3 of 3 images" in line
    assert "4.0 to 1" in line
    assert "`images: {height: 48, width: 192}`" in line


def test_a_single_image_of_another_aspect_is_to_be_checked():
    (line,) = odd(*[look()] * 5, look(size=(100, 800)))
    assert "1 of 6 images" in line
    assert "check these images" in line


def test_an_inverted_mask_is_named_with_its_share_and_that_of_the_others():
    (line,) = odd(*[look(lung=0.17)] * 4, look(lung=0.83))
    assert "l/k4/lung.png: may be inverted" in line
    assert "83%" in line
    assert "17%" in line
    assert odd(*[look(lung=0.17)] * 4, look(lung=0.55)) == []  # large, but not the inverse of the others


def test_an_image_of_one_grey_value_is_named():
    (line,) = odd(look(), Look((960, 640), 0, 0), look())
    assert "i/k1.png: shows nothing" in line
    assert "1 of 3 images" in line


def test_a_mask_with_values_between_two_is_named():
    faint = masks(lung=MaskLook(0.2, 0.04), heart=MaskLook(0.1, 0.0))
    (line,) = odd(faint, masks(lung=MaskLook(0.2, 0.5)), look(lung=0.2))
    assert "l/k0/lung.png" in line
    assert "in l/k1/lung.png, 50% of these pixels" in line
    assert "2 masks" in line
    assert "heart" not in line


def test_one_mask_saved_as_two_classes_is_named():
    twice = masks(
        lung=MaskLook(0.2, digest="a"), heart=MaskLook(0.2, digest="a"), rib=MaskLook(0.1, digest="b")
    )
    (line,) = odd(twice, masks(lung=MaskLook(0.2, digest="c"), rib=MaskLook(0.1, digest="b")))
    assert "l/k0: the masks of 'heart' and 'lung' are the same" in line


def test_labels_that_two_cases_share_are_named():
    lung, rib = MaskLook(0.2, digest="a"), MaskLook(0.1, digest="b")
    (line,) = odd(masks(lung=lung, rib=rib), masks(lung=lung), masks(lung=lung, rib=rib), look())
    assert "l/k0, l/k2: have the same masks" in line


def test_class_names_that_differ_in_blanks_or_signs():
    (line,) = odd(look(**{"left lung": 0.1, "Left_Lung": 0.1}), look(heart=0.1))
    assert "'Left_Lung' and 'left lung'" in line
    assert "classes: {'Left_Lung': 'left lung'}" in line


def test_the_network_has_the_median_aspect():
    assert network_size([(100, 200), (100, 200), (300, 100)], 128 * 256, 16) == (128, 256)


def test_the_table_counts_cases_by_split_and_class():
    cases, looks = data(look(lung=0.2), look(lung=0.1, heart=0.1))
    lines = overview(cases, looks)
    assert lines[0].split() == ["train", "val", "test", "unlabelled"]
    assert ["heart", "1", "0", "0", "0"] in [line.split() for line in lines]
    assert ["lung", "2", "0", "0", "0"] in [line.split() for line in lines]
    assert "width 640 to 640, height 960 to 960" in lines[-2]
    assert "brightest 255 to 255" in lines[-1]


def test_images_with_an_orientation_tag_are_reported_if_they_have_masks():
    turned = Look((960, 640), 0, 255, {"lung": MaskLook(0.2)}, turned=True)
    (line,) = odd(look(lung=0.2), turned)
    assert line.startswith("i/k1.png: stored turned or mirrored")
    assert odd(look(lung=0.2), Look((960, 640), 0, 255, turned=True), look(lung=0.2)) == []


def test_a_folder_of_labels_without_masks_is_reported_where_this_is_rare():
    (line,) = odd(*[look(lung=0.2)] * 9, look())
    assert line.startswith("l/k9: has no mask, so all classes count as absent (1 of 10 cases with labels)")
    assert odd(*[look(lung=0.2)] * 3, look()) == []
