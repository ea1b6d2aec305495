"""Films with a frame in which nobody is, one noise for all frames, and faces that the host's own landmarker has found."""

import logging

import pytest
import torch

from tests.host import graphs
from tests.host.graphs import (
    COMPOSITE,
    CONDITION,
    EXPRESSION,
    IDENTITY,
    LOADER,
    SAMPLER,
    astronaut,
    portrait,
    refusal,
    run,
    somebody_else,
    two_faces,
)
from tests.host.test_marks import SOURCE, queued, source_type, texts_of

PASS = {"without_face": "pass the picture through"}
READER, DRAFT = "DiffSFSRExpressionFromImage", "DiffSFSRFaceDraft"


@pytest.fixture(scope="module")
def nobody():
    """[1, 512, 512, 3]: a pattern that is no face, and no plain colour, so that every change shows."""
    rows = torch.linspace(0, 9, 512).sin() * 0.3 + 0.5
    return torch.stack([rows[:, None] * rows, rows[:, None].expand(512, 512), rows.expand(512, 512)], -1)[None].contiguous()


@pytest.fixture(scope="module")
def film(nobody):
    """Face, nobody, face, nobody: [4, 512, 512, 3]."""
    return torch.cat([somebody_else(), nobody, somebody_else() * 0.8, nobody.flip(2)])


@pytest.fixture(scope="module")
def passed(studio, film):
    graph = portrait(astronaut(), film).set(CONDITION, **PASS).set(SAMPLER, denoise=0.3)
    graph.add("cut", "DiffSFSRFaceCrop", place=[CONDITION, 3], size=512, face="largest", face_index=0)
    graph.add("back", "DiffSFSRCompositeFace", image=["cut", 3], place=["cut", 2])
    return run(studio, graphs.shown(graph, "back"))


def test_such_a_frame_goes_through_every_node_untouched(studio, passed, film):
    pictures, masks = (passed.value(COMPOSITE, slot) for slot in range(2))
    assert pictures.shape == film.shape
    for k in (1, 3):
        assert torch.equal(pictures[k], film[k]) and not masks[k].any()
        assert torch.equal(passed.value("back")[k], film[k]) and not passed.value("cut", 1)[k].any()
    for k in (0, 2):
        assert masks[k].any() and (pictures[k] - film[k]).abs().max() > 0.1
    assert passed.value("cut", 3).isfinite().all()
    single = portrait(astronaut(), film[2:3].clone()).set(SAMPLER, denoise=0.3, seed=2)
    assert (run(studio, single).value(COMPOSITE)[0] - pictures[2]).abs().max() < 0.02


def test_also_with_masks_a_turned_head_and_without_the_guide(studio, film):
    """What is asked of the faces is asked of those that are there."""
    frames, mask, hand = film[:2].clone(), torch.zeros(2, 512, 512), torch.zeros(1, 512, 512)
    mask[:, 60:330, 150:400], hand[:, 190:220, 240:330] = 1, 1
    graph = portrait(astronaut(), frames.half()).set(CONDITION, **PASS, guide=False, head_yaw=3.0, skin_tone=0.0)
    graph.give(CONDITION, "mask", "MASK", mask).give(CONDITION, "in_front", "MASK", hand)
    pictures = run(studio, graph).value(COMPOSITE)
    assert torch.equal(pictures[1], frames[1].half()) and (pictures[0] - frames[0]).abs().max() > 0.1
    assert torch.equal(pictures[0, 190:220, 240:330], frames[0, 190:220, 240:330].half())


def test_it_has_no_say_in_the_words_of_a_prompt(passed, film, studio, nobody):
    assert "\n" not in passed.value("cut", 4) and "no face" not in passed.value("cut", 4)
    graph = portrait(astronaut(), nobody).set(CONDITION, **PASS)
    graph.add("cut", "DiffSFSRFaceCrop", place=[CONDITION, 3], size=256, face="largest", face_index=0)
    assert run(studio, graph.add("see", "PreviewImage", images=["cut", 0])).value("cut", 4) == "no face"


def test_one_warning_in_the_node_names_the_frames(studio, film, caplog):
    with caplog.at_level(logging.WARNING):
        run(studio, portrait(astronaut(), film.flip(1).flip(1)).set(CONDITION, **PASS).only(IDENTITY, EXPRESSION, CONDITION)
            .add("see", "PreviewImage", images=[CONDITION, 4]))  # fmt: skip
    (line,) = [r.getMessage() for r in caplog.records if "No face" in r.getMessage()]
    assert line.startswith("Background Condition, image 1, 3: No face was found") and "stays as it is" in line


@pytest.mark.parametrize(
    ("places", "said"), [([3], "3"), ([0, 1], "0, 1"), ([0, 2, 3, 4, 7], "0, 2 to 4, 7"), ([5, 6, 8, 9, 10], "5, 6, 8 to 10")]
)
def test_numbers_of_frames(host, places, said):
    from diffsfsr.modules.pipeline.faceless import numbers

    assert numbers(places) == said


def asked(graph, kind, **more):
    """The graph with one of the two nodes that read or draw a film."""
    if kind == DRAFT:
        more |= {"identity": [IDENTITY, 0], "expression": [EXPRESSION, 0]}
    else:
        more |= {"intensity": 1.0}
    graph.add("asked", kind, encoders=[LOADER, 2], face="largest", face_index=0, **more)
    return graph.add("see", "PreviewImage", images=["asked", kind == READER])


@pytest.mark.parametrize("kind", [DRAFT, READER])
def test_drafts_and_readings_of_a_film(studio, film, kind):
    def of(frames, choice):
        graph = portrait(astronaut(), frames).only(IDENTITY, EXPRESSION)
        return asked(graph, kind, without_face=choice).give("asked", "image", "IMAGE", frames)

    choice = "neutral expression" if kind == READER else PASS["without_face"]
    every, alone = (run(studio, of(frames, choice)) for frames in (film, film[2:3].clone()))
    crops = every.value("asked", int(kind == READER))
    assert len(crops) == 4 and torch.equal(crops[2], alone.value("asked", int(kind == READER))[0])
    assert (crops[1] - graphs.scaled(film[1:2], 256, 256)[0]).abs().max() < 0.02, "the whole picture, smaller"
    if kind == READER:
        codes = every.value("asked").codes
        assert not codes[1].any() and torch.equal(codes[2], alone.value("asked").codes[0])
        assert every.value("asked", 2).splitlines()[1] == "no face: neutral"
    assert "image 1: No face" in refusal(studio, of(film, "error"), "asked")
    assert "no way to treat a picture without a face" in refusal(studio, of(film, "whatever"), "asked")


def test_nothing_is_marked_where_nobody_was_found(studio, nobody, film):
    """Also when it comes from the cache, and what is made of it; a film with one face is marked."""
    from diffsfsr.modules.pipeline.composite import paste

    def saved(pictures):
        graph = portrait(astronaut(), pictures).set(CONDITION, **PASS)
        graph.add("larger", "ImageScaleBy", image=[COMPOSITE, 0], upscale_method="area", scale_by=2.0)
        graph.add("ours", "DiffSFSRSavePortrait", images=["larger", 0], filename_prefix="a", format="PNG", quality=90)
        graph.add("theirs", "SaveImage", images=[COMPOSITE, 0], filename_prefix="b")
        graph.add("cut", "DiffSFSRFaceCrop", place=[CONDITION, 3], size=256, face="largest", face_index=0)
        graph.add("crops", "SaveImage", images=["cut", 3], filename_prefix="d")
        draft = {"encoders": [LOADER, 2], "identity": [IDENTITY, 0], "expression": [EXPRESSION, 0]}
        graph.add("draft", DRAFT, **draft, face="largest", face_index=0, **PASS, image=graph[CONDITION]["inputs"]["image"])
        return graph

    again = saved(nobody).add("once more", "SaveImage", images=["larger", 0], filename_prefix="c")
    first = queued(studio, saved(nobody))
    unmarked = ("ours", "theirs", "draft", "cut", "crops", CONDITION)
    for file in (*(first[node][0] for node in unmarked), queued(studio, again)["once more"][0]):
        assert source_type(file) is None and "diffsfsr" not in texts_of(file), file
    info, place = {}, run(studio, saved(nobody)).value(CONDITION, 3)
    picture, _ = paste(torch.rand(1, 256, 256, 3), place, info)
    assert torch.equal(picture, nobody) and not info
    for files in (queued(studio, saved(film[:2].clone())), queued(studio, saved(film[1:3].clone()))):
        assert source_type(files["ours"][0]) == source_type(files["draft"][0]) == source_type(files[CONDITION][0]) == SOURCE
        assert source_type(files["cut"][0]) == SOURCE
        assert all("diffsfsr" in texts_of(files[node][0]) for node in ("theirs", "crops"))


def test_what_passes_keeps_the_face_that_it_came_with(host):
    """The picture that passes was painted by another of our nodes: it is marked all the same."""
    from diffsfsr.modules.host import made

    prompt = graphs.Graph().add("first", "DiffSFSRCompositeFace")
    prompt.add("place", "DiffSFSRBackgroundCondition", image=["first", 0])
    prompt.add("second", "DiffSFSRCompositeFace", place=["place", 3]).add("saved", "SaveImage", images=["second", 0])
    made.remember(prompt, "place", False)
    assert made.gets_made_face(prompt, "saved")
    prompt["place"]["inputs"]["image"] = ["photo", 0]
    assert made.gets_made_face(prompt, "saved"), "it has not run yet"
    made.remember(prompt, "place", False)
    assert not made.gets_made_face(prompt, "saved")
    made.remember(prompt, "place", True)
    made.remember(prompt, "place", False)
    assert made.gets_made_face(prompt, "saved"), "once made, always marked: a file may be what it was again"


# --- one noise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["same_noise", "LatentBatchSeedBehavior"])
def test_one_noise_for_all_frames(studio, how):
    """The same picture three times, and alone: all are one."""
    frames = somebody_else().repeat(3, 1, 1, 1)
    graph = portrait(astronaut(), frames).set(SAMPLER, denoise=0.6, cfg=1.0)
    if how == "same_noise":
        graph.set(SAMPLER, same_noise=True)
    else:
        graph.add("one", how, samples=[CONDITION, 2], seed_behavior="fixed").set(SAMPLER, latent=["one", 0])
    latents = run(studio, graph).value(SAMPLER)["samples"]
    single = run(studio, portrait(astronaut(), frames[:1].clone()).set(SAMPLER, denoise=0.6, cfg=1.0))
    assert torch.allclose(latents, single.value(SAMPLER)["samples"].expand_as(latents), atol=2e-3)
    other = run(studio, graph.set(SAMPLER, same_noise=False, latent=[CONDITION, 2])).value(SAMPLER)["samples"]
    assert (other[0] - other[1]).abs().max() > 0.05


# --- faces of the host's own landmarker ------------------------------------------------------------------------------


def their_landmarks(pictures, pick=slice(None)):
    """FACE_LANDMARKS as MediaPipe Face Landmarker of ComfyUI gives it, of the faces that we find."""
    from diffsfsr.modules.faces.landmarker import find_faces
    from diffsfsr.modules.labels import BLENDSHAPES
    from diffsfsr.modules.pipeline.encoders import face_networks

    frames = []
    for picture in pictures:
        faces = []
        for face in find_faces(face_networks().ready(), picture)[pick]:
            plane = face.points[:, :2].numpy() - 0.5
            side = float((plane.max(0) - plane.min(0)).max()) * 1.5
            solid = (face.points * torch.tensor([1.0, 1.0, -1.0]) * (192 / side)).numpy()
            faces.append({
                "bbox_xyxy": plane.min(0).tolist() + plane.max(0).tolist(), "landmarks_xy": plane, "landmarks_3d": solid,
                "blendshapes": dict(zip(BLENDSHAPES, face.blendshapes.tolist(), strict=True)), "presence": 9.0,
                "score": face.score, "transformation_matrix": torch.eye(4).numpy(),
            })  # fmt: skip
        frames.append(faces)
    return {"frames": frames, "image_size": tuple(pictures.shape[1:3]), "connection_sets": {}}


@pytest.fixture(scope="module")
def given(studio):
    """A node that gives FACE_LANDMARKS."""
    from tests.host import graphs

    members = {
        "INPUT_TYPES": classmethod(lambda cls: {"required": {"key": ("STRING", {})}}),
        "RETURN_TYPES": ("FACE_LANDMARKS",), "FUNCTION": "give", "give": lambda self, key: (graphs._given[key],),
    }  # fmt: skip
    studio.nodes.NODE_CLASS_MAPPINGS["Given FACE_LANDMARKS"] = type("GivenLandmarks", (), members)
    yield
    del studio.nodes.NODE_CLASS_MAPPINGS["Given FACE_LANDMARKS"]


def test_their_faces_are_the_choice(studio, given):
    """The smaller of two faces alone is told: it is the one, wherever a face is looked for."""
    pair = two_faces()
    small = their_landmarks(pair, slice(1, 2))

    def matrices(landmarks, index):
        which = {"face": "index", "face_index": index}
        graph = portrait(pair, pair).set(CONDITION, **which).set(IDENTITY, **which)
        for node in (CONDITION, IDENTITY) if landmarks else ():
            graph.give(node, "face_landmarks", "FACE_LANDMARKS", landmarks)
        result = run(studio, graph.set(SAMPLER, denoise=0.0))
        return result.value(CONDITION, 3).to_frame, result.value(IDENTITY, 0).vector

    (told, who), (ours, wanted), (large, _) = matrices(small, 0), matrices(None, 1), matrices(None, 0)
    assert torch.allclose(told, ours, atol=0.1) and not torch.allclose(told, large, atol=0.1)
    assert float(who @ wanted) > 0.99


@pytest.mark.parametrize("kind", [DRAFT, READER])
def test_a_frame_for_which_they_tell_no_face(studio, given, kind):
    film = torch.cat([somebody_else(), astronaut()])
    landmarks = their_landmarks(film)
    landmarks["frames"][1] = []
    graph = asked(portrait(astronaut(), film).only(IDENTITY, EXPRESSION), kind).give("asked", "image", "IMAGE", film)
    graph.give("asked", "face_landmarks", "FACE_LANDMARKS", landmarks)
    assert "image 1: No face" in refusal(studio, graph, "asked")
    choice = "neutral expression" if kind == READER else PASS["without_face"]
    assert len(run(studio, graph.set("asked", without_face=choice)).value("asked", int(kind == READER))) == 2


def test_landmarks_without_a_picture(studio, given):
    graph = asked(portrait(astronaut(), astronaut()).only(IDENTITY, EXPRESSION), DRAFT)
    graph.give("asked", "face_landmarks", "FACE_LANDMARKS", their_landmarks(astronaut()))
    assert "Connect image" in refusal(studio, graph, "asked")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: [], "no face landmarks"),
        (lambda told: {**told, "frames": told["frames"] * 2}, "of 2 pictures, and there are 1"),
        (lambda told: {**told, "image_size": (100, 200)}, "(100, 200), this has 512, 512"),
        (lambda told: {**told, "frames": [[{**told["frames"][0][0], "landmarks_xy": [[1.0, 2.0]]}]]}, "landmarks_xy of 478"),
        (lambda told: {"frames": [[{"landmarks_xy": told["frames"][0][0]["landmarks_xy"] + 600}]]}, "outside the picture"),
        (lambda told: {"frames": [[{"landmarks_xy": 0 * told["frames"][0][0]["landmarks_xy"] + 9}]]}, "eyes in one place"),
        (lambda told: {**told, "frames": [[{}]]}, "landmarks_xy of 478"),
    ],
)
def test_bad_landmarks(studio, given, change, said):
    told = change(their_landmarks(somebody_else()))
    graph = portrait(astronaut(), somebody_else()).give(CONDITION, "face_landmarks", "FACE_LANDMARKS", told)
    message = refusal(studio, graph, CONDITION)
    assert message.startswith("Background Condition, face landmarks") and said in message and "MediaPipe" in message
