"""The host on folders of its own, so that tests neither read nor leave anything in a developer's ComfyUI."""

import importlib

import pytest

from tests.host import graphs


@pytest.fixture(scope="session")
def studio(host, tmp_path_factory):
    """The real host, with nodes that give tensors and with temporary input, output and temp folders."""
    base, paths = tmp_path_factory.mktemp("studio"), host.folder_paths
    kept = paths.get_input_directory(), paths.get_output_directory(), paths.get_temp_directory()
    for name, use in zip(("input", "output", "temp"), _setters(paths), strict=True):
        (base / name).mkdir()
        use(str(base / name))
    importlib.import_module("diffsfsr.modules.host.examples").register()
    graphs.register(host.nodes)
    yield host
    graphs.unregister(host.nodes)
    for folder, use in zip(kept, _setters(paths), strict=True):
        use(folder)


def _setters(paths):
    return paths.set_input_directory, paths.set_output_directory, paths.set_temp_directory


@pytest.fixture(scope="session")
def pictures():
    """selfie and background, made once: the host's cache knows a given value by its identity."""
    return graphs.astronaut(), graphs.somebody_else()


@pytest.fixture(scope="module")
def made(studio, pictures):
    """One run of the shipped graph with two steps, to look at from many sides."""
    studio.reset()
    result = studio.run(graphs.portrait(*pictures, steps=2))
    assert result.success, result.errors
    return result


@pytest.fixture
def models(studio, tmp_path):
    """A second folder of the key 'diffsfsr', as extra_model_paths gives it."""
    from diffsfsr.modules.host import folders

    folders.register()
    known = studio.folder_paths.folder_names_and_paths
    kept = known[folders.KEY]
    known[folders.KEY] = ([*kept[0], str(tmp_path)], kept[1])
    studio.folder_paths.filename_list_cache.pop(folders.KEY, None)
    yield tmp_path
    known[folders.KEY] = kept
    studio.folder_paths.filename_list_cache.pop(folders.KEY, None)
