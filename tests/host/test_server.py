"""The real server as an artist starts it: `main.py` in its own process, spoken to over HTTP and a websocket."""

import asyncio
import json

import pytest
from PIL import Image

from dev.server import PACK, PATIENCE, base_folder, running
from tests.host.graphs import ROOT, TWIN, astronaut, somebody_else
from tests.host.test_schemas import OURS

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server, with two pictures in its input folder."""
    from dev.bootstrap import HostError, find_comfyui

    try:
        find_comfyui()
    except HostError as error:
        pytest.skip(str(error))
    base = base_folder(tmp_path_factory.mktemp("server"))
    for name, image in (("astronaut", astronaut()), ("background", somebody_else())):
        Image.fromarray((image[0] * 255).round().byte().numpy()).save(base / "input" / f"{name}.png")
    with running(base) as started:
        yield started


async def fetch(session, path):
    async with session.get(path) as answer:
        assert answer.status == 200, (path, answer.status)
        return await answer.text()


async def visit(address, talk):
    import aiohttp

    async with aiohttp.ClientSession(address, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        return await talk(session)


def test_nodes_templates_and_help_are_served(server):
    address, log, base = server

    async def talk(session):
        nodes = json.loads(await fetch(session, "/object_info"))
        templates = json.loads(await fetch(session, "/api/workflow_templates"))
        graph = json.loads(await fetch(session, f"/api/workflow_templates/{PACK}/portrait.json"))
        helps = [await fetch(session, f"/extensions/{PACK}/docs/{node}.md") for node in OURS]
        blueprints = json.loads(await fetch(session, "/global_subgraphs"))
        return nodes, templates, graph, helps, blueprints

    nodes, templates, graph, helps, blueprints = asyncio.run(visit(address, talk))
    assert set(OURS) <= set(nodes) and "IMPORT FAILED: " + PACK not in log.read_text()
    assert tuple(nodes["DiffSFSRUNetLoader"]["output"]) == OURS["DiffSFSRUNetLoader"]
    assert [entry["name"] for entry in blueprints.values()] == ["DiffSFSR Portrait"]
    assert all((base / "input" / path.name).exists() for path in (ROOT / "workflows" / "input").iterdir())
    assert "portrait" in templates[PACK] and "index" not in templates[PACK]
    assert graph == json.loads((ROOT / "workflows" / "portrait.json").read_text())
    for node, text in zip(OURS, helps, strict=True):
        assert text.startswith("# ") and nodes[node]["display_name"] in text.splitlines()[0]
        inputs = {**nodes[node]["input"].get("required", {}), **nodes[node]["input"].get("optional", {})}
        for name, spec in inputs.items():
            assert f"**{spec[1].get('display_name') or name}**" in text, f"{node}: {name} has no help"


def test_a_prompt_runs_and_is_watched_over_the_websocket(server):
    address, _, base = server
    prompt = json.loads(TWIN.read_text())
    prompt["7"]["inputs"]["steps"] = 2
    sent = {"prompt": prompt, "client_id": "artist", "extra_data": {"extra_pnginfo": {"workflow": {"nodes": []}}}}

    async def talk(session):
        events = []
        async with session.ws_connect("/ws?clientId=artist") as socket_:
            async with session.post("/prompt", json=sent) as answer:
                assert answer.status == 200, await answer.text()
                ident = (await answer.json())["prompt_id"]
            async for message in socket_:
                if message.type.name != "TEXT":  # previews come as bytes
                    continue
                event = json.loads(message.data)
                events.append(event)
                done = event["type"] == "executing" and event["data"]["node"] is None
                if event["type"] == "execution_error" or (done and event["data"]["prompt_id"] == ident):
                    break
        return events, json.loads(await fetch(session, f"/history/{ident}"))[ident]

    events, history = asyncio.run(visit(address, talk))
    kinds = [event["type"] for event in events]
    assert "execution_success" in kinds, [e for e in events if e["type"] == "execution_error"]
    assert "progress" in kinds and history["status"]["status_str"] == "success"
    (saved,) = history["outputs"]["10"]["images"]
    with Image.open(base / "output" / saved["filename"]) as image:
        assert image.size == (512, 512) and {"prompt", "diffsfsr"} <= set(image.text)


def test_bad_input_reaches_the_artist(server):
    """An error while running comes over the websocket with the node and our message."""
    address, *_ = server
    prompt = {k: v for k, v in json.loads(TWIN.read_text()).items() if k in ("1", "5")}
    prompt["5"]["inputs"]["expression"] = "amazment"
    prompt |= {k: v for k, v in json.loads(TWIN.read_text()).items() if k not in ("1", "5")}

    async def talk(session):
        async with session.ws_connect("/ws?clientId=artist") as socket_:
            async with session.post("/prompt", json={"prompt": prompt, "client_id": "artist"}) as answer:
                if answer.status == 400:  # newer hosts check list values before they run
                    return {"node_id": "5", "exception_message": "Did you mean 'amazement'?"}
            async for message in socket_:
                event = json.loads(message.data) if message.type.name == "TEXT" else {"type": ""}
                if event["type"] in ("execution_error", "execution_success"):
                    return event["data"]

    told = asyncio.run(visit(address, talk))
    assert told["node_id"] == "5" and "Did you mean 'amazement'" in told["exception_message"]
