"""Pages and tasks that may show text are named, one line each."""

import zipfile

from samcarry.storage.filled import HTML_MARK, ZIP_MARK, unfilled_warnings


def archive(path, comment):
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("a.png", b"x")
        content.comment = comment


def test_files_without_the_mark_are_named(tmp_path):
    archive(tmp_path / "review/task-1/images.zip", b"")
    archive(tmp_path / "review/task-2/images.zip", ZIP_MARK)
    (tmp_path / "review/task-1/annotate.html").write_text("somebody's page")
    (tmp_path / "review/task-2/annotate.html").write_text(f"<head>{HTML_MARK}")
    (tmp_path / "first").mkdir()
    (tmp_path / "first/annotate.html").write_text("x" * 5000 + HTML_MARK)  # in its data
    named = ["review/task-1/images.zip", "review/task-1/annotate.html", "first/annotate.html"]
    lines = unfilled_warnings(tmp_path)
    assert [line.split(": ")[0] for line in lines] == [str(tmp_path / name) for name in named]
    assert all("delete it and ask for it again" in line for line in lines)


def test_an_archive_of_the_user_is_no_fault(tmp_path):
    (tmp_path / "review/task-1").mkdir(parents=True)
    (tmp_path / "review/task-1/images.zip").write_bytes(b"of the user")
    assert len(unfilled_warnings(tmp_path)) == 1


def test_nothing_is_named_where_there_is_nothing(tmp_path):
    assert unfilled_warnings(tmp_path / "missing") == []
