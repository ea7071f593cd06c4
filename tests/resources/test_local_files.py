"""Files of the lake by their address: what PyIceberg may ask of one."""

from pathlib import Path

import pytest

from resources.local_files import LocalFiles

FILES = LocalFiles()


def test_what_is_written_is_read_again_by_the_address_with_or_without_scheme(tmp_path: Path) -> None:
    file = tmp_path / "not yet there" / "metadata.json"
    with FILES.new_output(f"file://{file}").create() as stream:
        stream.write(b"{}")
    for address in (f"file://{file}", str(file)):
        found = FILES.new_input(address)
        with found.open() as stream:
            assert stream.read() == b"{}"
        assert (found.exists(), len(found), found.location) == (True, 2, address)


def test_a_file_is_overwritten_only_where_asked(tmp_path: Path) -> None:
    file = FILES.new_output((tmp_path / "metadata.json").as_uri())
    for overwrite, content in ((False, b"old"), (True, b"new")):
        with file.create(overwrite) as stream:
            stream.write(content)
    with pytest.raises(FileExistsError):
        file.create()
    with file.to_input_file().open() as stream:
        assert stream.read() == b"new"


@pytest.mark.parametrize("by_file", [True, False])
def test_a_file_removed_is_no_longer_there(tmp_path: Path, by_file: bool) -> None:
    address = (tmp_path / "metadata.json").as_uri()
    FILES.new_output(address).create().close()
    FILES.delete(FILES.new_input(address) if by_file else address)
    assert not FILES.new_input(address).exists()
    with pytest.raises(FileNotFoundError):
        FILES.delete(address)
    with pytest.raises(FileNotFoundError):
        FILES.new_input(address).open()
