"""The templates' portraits: in the host's input folder after the start, under names of ours, and never in anybody's way."""

import json

from PIL import Image


def test_they_are_put_where_load_image_looks_and_nothing_is_overwritten(host, tmp_path):
    from diffsfsr.modules.host import examples

    kept = host.folder_paths.get_input_directory()
    shipped = sorted(examples.PICTURES.iterdir())
    assert len(shipped) == 3 and sum(path.stat().st_size for path in shipped) < 1_000_000
    (tmp_path / shipped[0].name).write_bytes(b"somebody's own")
    try:
        host.folder_paths.set_input_directory(str(tmp_path))
        examples.register()
        listed = host.node("LoadImage").INPUT_TYPES()["required"]["image"][0]
        assert {path.name for path in shipped} <= set(listed) == {path.name for path in tmp_path.iterdir()}
        assert (tmp_path / shipped[0].name).read_bytes() == b"somebody's own"
        host.folder_paths.set_input_directory(str(tmp_path / "not there"))
        examples.register()  # a folder that cannot be written to: nothing, and no error
    finally:
        host.folder_paths.set_input_directory(kept)


def test_each_says_that_its_face_was_generated(comfy):
    from diffsfsr.modules.host.examples import PICTURES

    for path in PICTURES.iterdir():
        with Image.open(path) as picture:
            assert "painted by a diffusion model" in json.loads(picture.info["comment"])["generated"]
