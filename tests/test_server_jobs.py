"""Jobs of the server, from upload to curves."""

from __future__ import annotations

import json

import httpx
import numpy as np
import pytest
from server_support import Server, an_hour_of_silence, detail, encoded, voice, wait_until, wav

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import npz_bytes


def test_a_job_runs_from_upload_to_curves(server: Server) -> None:
    job = server.accept(wav(voice(2.0)), emotion={"happy": 0.8}, seed=3, fps=24)
    with server.client.stream("GET", f"{job}/events") as response:
        views = [json.loads(line) for line in response.iter_lines()]
    assert views[-1]["state"] == "done", views[-1]
    assert views[-1]["frames"] == 48
    assert views[-1]["duration"] == pytest.approx(2.0)
    done = [view["seconds_done"] for view in views]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(2.0)
    curves = server.curves(job)
    assert (len(curves), curves.fps, curves.start) == (48, 24.0, 0.0)
    assert curves.provenance.seed == 3
    assert curves.provenance.emotion == "happy 0.80"
    tail = server.curves(job, 40)
    np.testing.assert_array_equal(tail.stacked(), curves.stacked()[40:])
    assert tail.start == pytest.approx(40 / 24)
    assert server.client.get(f"{job}/curves", params={"first_frame": -1}).status_code == 422
    assert not server.uploads()
    assert server.client.delete(job).status_code == 200
    assert server.client.get(job).status_code == 404


def test_same_seed_same_curves_other_seed_other_curves(server: Server) -> None:
    keys = {"times": [0.0, 1.0], "weights": [[0.0] * 8, [0.0] * 5 + [1.0, 0.0, 0.0]]}
    jobs = [server.accept(wav(voice(1.0)), seed=seed, emotion=keys) for seed in (1, 1, 2)]
    for job in jobs:
        assert server.finish(job)["state"] == "done"
    first, again, other = (server.curves(job).stacked() for job in jobs)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize(
    "audio",
    [
        wav(np.zeros(16_000)),
        wav(np.random.default_rng(0).uniform(-1, 1, 16_000)),
        wav(voice(1.0, 96_000), 96_000, channels=2),
        wav(voice(1.0, 8_000), 8_000, width=1),
        wav(voice(2.0))[:32_044],
        encoded(voice(1.0).astype(np.float32), "libmp3lame", "mp3"),
    ],
    ids=["silence", "noise", "stereo 96 kHz", "8-bit", "truncated", "mp3"],
)
def test_odd_audio_works(server: Server, audio: bytes) -> None:
    job = server.accept(audio)
    view = server.finish(job)
    assert view["state"] == "done", view
    assert abs(view["frames"] - 30) <= 1
    assert not server.uploads()


def test_a_style_clip_changes_the_performance(server: Server) -> None:
    clip = FaceCurves(np.full((60, 52), 0.5, np.float32), np.zeros((60, 3)), np.zeros((60, 3)), 30.0)
    plain, styled = server.accept(wav(voice(1.0))), server.accept(wav(voice(1.0)), style=npz_bytes(clip))
    assert server.finish(plain)["state"] == server.finish(styled)["state"] == "done"
    assert np.abs(server.curves(plain).stacked() - server.curves(styled).stacked()).max() > 1e-3


def test_a_style_of_no_strength_leaves_no_trace(server: Server) -> None:
    clip = FaceCurves(np.full((60, 52), 0.5, np.float32), np.zeros((60, 3)), np.zeros((60, 3)), 30.0)
    audio = wav(voice(1.0))
    plain, none = server.accept(audio), server.accept(audio, style=npz_bytes(clip), style_strength=0.0)
    half = server.accept(audio, style=npz_bytes(clip), style_strength=0.5)
    for job in (plain, none, half):
        assert server.finish(job)["state"] == "done"
    np.testing.assert_array_equal(server.curves(plain).stacked(), server.curves(none).stacked())
    assert np.abs(server.curves(plain).stacked() - server.curves(half).stacked()).max() > 1e-3
    assert "needs the 'style' clip" in detail(server.post(audio, style_strength=0.5))
    assert "from 0 to 1" in detail(server.post(audio, style=npz_bytes(clip), style_strength=2.0))


def test_a_part_of_a_take_is_made_again_and_the_rest_stays(server: Server) -> None:
    audio = wav(voice(2.0))
    first = server.accept(audio, seed=1)
    assert server.finish(first)["state"] == "done"
    take = server.curves(first)
    part = server.accept(
        audio, seed=2, emotion={"happy": 1.0}, take=npz_bytes(take), remake=[[0.5, 1.5]], lock=["head"]
    )
    assert server.finish(part)["state"] == "done"
    again = server.curves(part)
    inside = (take.times >= 0.5) & (take.times < 1.5)
    np.testing.assert_array_equal(again.stacked()[~inside], take.stacked()[~inside])
    np.testing.assert_array_equal(again.head_rotation, take.head_rotation)
    assert np.abs(again.values[inside] - take.values[inside]).max() > 0.05


def test_samples_that_are_no_numbers_fail_the_job_naming_the_second(server: Server) -> None:
    samples = voice(2.0).astype(np.float32)
    samples[24_000] = np.nan
    view = server.finish(server.accept(encoded(samples, "pcm_f32le", "wav")))
    assert view["state"] == "failed"
    assert "at 1.50 s" in view["message"]
    assert not server.uploads()


def test_a_cancelled_job_makes_room_for_the_next(server: Server) -> None:
    running = server.accept(an_hour_of_silence())
    waiting = server.accept(an_hour_of_silence())
    wait_until(lambda: server.show(running)["state"] == "running", "the job to run")
    assert server.client.delete(waiting).json()["state"] == "cancelled"
    wait_until(lambda: server.show(running)["seconds_done"] > 0, "some progress")
    server.client.delete(running)
    view = server.finish(running)
    assert view["state"] == "cancelled"
    assert view["seconds_done"] < 3600
    assert server.finish(server.accept(wav(voice(0.5))))["state"] == "done"
    assert not server.uploads()


def test_parts_can_be_fetched_while_the_rest_is_made(server: Server) -> None:
    job = server.accept(an_hour_of_silence())
    assert len(server.curves(job, 10**9)) == 0
    frames = wait_until(lambda: server.show(job)["frames"], "a first part")
    first = server.curves(job)
    assert len(first) >= frames
    np.testing.assert_array_equal(server.curves(job, frames - 1).values[0], first.values[frames - 1])
    server.client.delete(job)
    server.finish(job)


def test_a_reader_of_events_that_leaves_is_forgotten(server: Server) -> None:
    job = server.accept(an_hour_of_silence())
    wait_until(lambda: server.show(job)["state"] == "running", "the job to run")
    before = server.open_files()
    for _ in range(5):
        with (
            httpx.Client(base_url=server.client.base_url, headers=server.client.headers) as reader,
            reader.stream("GET", f"{job}/events") as response,
        ):
            assert json.loads(next(response.iter_lines()))["state"] == "running"
    wait_until(lambda: server.open_files() <= before, "the streams to close")
    server.client.delete(job)
    server.finish(job)


def test_too_many_waiting_jobs_are_refused(server: Server) -> None:
    jobs = []
    while (response := server.post(an_hour_of_silence())).status_code == 202:
        jobs.append(f"/v1/jobs/{response.json()['id']}")
        assert len(jobs) < 20
    assert response.status_code == 429
    assert "waiting already" in detail(response)
    for job in jobs:
        server.client.delete(job)
    for job in jobs:
        assert server.finish(job)["state"] == "cancelled"
    assert not server.uploads()


def test_a_held_job_ends_with_its_client(server: Server) -> None:
    job = server.accept(an_hour_of_silence())
    with (
        httpx.Client(base_url=server.client.base_url, headers=server.client.headers) as holder,
        holder.stream("GET", f"{job}/hold") as response,
    ):
        assert next(response.iter_raw()) == b"\n"
        assert server.show(job)["state"] in ("queued", "running")
    view = server.finish(job)
    assert (view["state"], view["message"]) == ("cancelled", "cancelled by the client")


def test_a_held_job_that_ends_itself_lets_its_client_go(server: Server) -> None:
    job = server.accept(wav(voice(1.0)))
    assert set(server.client.get(f"{job}/hold").content) == {ord("\n")}
    assert server.show(job)["state"] == "done"
