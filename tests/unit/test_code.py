"""The digest of a script's code: imports count at any depth, comments do not."""

import pytest

from samcarry.code import code_digest


@pytest.fixture
def script(tmp_path):
    (tmp_path / "samcarry").mkdir()
    (tmp_path / "samcarry/first.py").write_text('"""Doc."""\nfrom samcarry.second import f\n')
    (tmp_path / "samcarry/second.py").write_text('def f():\n    """Doc."""\n    return 1\n')
    (tmp_path / "samcarry/other.py").write_text("g = 1\n")
    (tmp_path / "clean.py").write_text("from samcarry.first import f\n")
    return tmp_path / "clean.py"


def after(script, name, old, new):
    file = script.parent / "samcarry" / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return code_digest(script)


def test_an_edit_of_an_indirect_import_changes_it(script):
    before = code_digest(script)
    assert after(script, "second.py", "return 1", "return 2") != before


def test_comments_docstrings_and_formatting_do_not_count(script):
    before = code_digest(script)
    assert after(script, "second.py", "return 1", "return  1  # one") == before
    assert after(script, "second.py", "Doc.", "Another.") == before
    assert after(script, "first.py", "Doc.", "Another.") == before


def test_what_is_not_imported_does_not_count(script):
    before = code_digest(script)
    assert after(script, "other.py", "g = 1", "g = 2") == before
