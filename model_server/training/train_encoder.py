"""Train the speech encoder: ``python -m model_server.training.train_encoder --minutes 40``.

Needs the sessions of ``model_server.training.speech_corpus.sessions``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_server.audio.features import MEL_BANDS, RunningMean, mel_edges
from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.phones import MOUTH_CLASS_OF, PHONES, VOICELESS
from model_server.models.checkpoint import save_checkpoint
from model_server.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig

from .loop import TrainConfig, train
from .speech_corpus.engines import VOICES
from .speech_corpus.sessions import Session, load_sessions

CROP_FRAMES = 400
"""Phone frames of a training example (8 s)."""

# Humans count twice, formant synthesis half as much as its seconds.
_WEIGHTS = {"festvox_ru": 2.0, "prompts_en": 3.0, "espeak": 0.5}
# A closure that is missed looks worse than any other mistake.
_IMPORTANCE = torch.tensor([1.5 if phone in ("p", "b", "m", "f", "v") else 1.0 for phone in PHONES])
_VOICED = np.array([phone not in VOICELESS for phone in PHONES], np.float32)


class SpeechSet:
    """Sessions in memory, normalised as the listener does it.

    Args:
        files: session files, ``<voice>.<copy>.npz``.
        prior: (64,) mean spectrum of speech to start from; None to measure it in the files.
    """

    def __init__(self, files: list[Path], prior: npt.NDArray[np.float32] | None = None) -> None:
        self.sessions: list[Session] = []
        weights: list[float] = []
        for path in files:
            for session in load_sessions(path):
                if len(session.phones) > 50:
                    self.sessions.append(session)
                    weights.append(len(session.phones) * _WEIGHTS.get(path.name.split(".")[0], 1.0))
        if not self.sessions:
            raise SystemExit("no sessions found; make them with model_server.training.speech_corpus.sessions")
        self.prior = mean_speech(self.sessions) if prior is None else prior
        self.sessions = [
            replace(s, mel=RunningMean(self.prior).push(s.mel.astype(np.float32)).astype(np.float16))
            for s in self.sessions
        ]
        self.chances = torch.tensor(weights)

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return random crops: normalised log-mel (B, 800, 64) and phones (B, 400), -1 where there is no sound."""
        mel = torch.zeros(count, 2 * CROP_FRAMES, MEL_BANDS)
        phones = torch.full((count, CROP_FRAMES), -1, dtype=torch.long)
        for row, index in enumerate(torch.multinomial(self.chances, count, True, generator=generator).tolist()):
            session = self.sessions[index]
            frames = len(session.phones)
            first = int(torch.randint(0, max(1, frames - CROP_FRAMES + 1), (1,), generator=generator))
            length = min(CROP_FRAMES, frames - first)
            mel[row, : 2 * length] = torch.from_numpy(session.mel[2 * first : 2 * (first + length)].astype(np.float32))
            phones[row, :length] = torch.from_numpy(session.phones[first : first + length].astype(np.int64))
        return mel, phones


def mean_speech(sessions: list[Session]) -> npt.NDArray[np.float32]:
    """Return (64,) the mean log-mel spectrum of the frames in which somebody speaks."""
    total, count = np.zeros(MEL_BANDS), 0
    for session in sessions:
        spoken = np.repeat(session.phones != 0, 2)
        total += session.mel[spoken].astype(np.float64).sum(axis=0)
        count += int(spoken.sum())
    return (total / max(1, count)).astype(np.float32)


def warp_matrix(factor: float) -> Tensor:
    """Return (64, 64) that reads every mel band at ``factor`` times its frequency: another vocal tract length."""
    centres = mel_edges()[1:-1]
    places = np.interp(centres * factor, centres, np.arange(MEL_BANDS))
    low = np.minimum(places.astype(int), MEL_BANDS - 2)
    matrix = np.zeros((MEL_BANDS, MEL_BANDS), np.float32)
    bands = np.arange(MEL_BANDS)
    matrix[low, bands] = 1 - (places - low)
    matrix[low + 1, bands] += places - low
    return torch.from_numpy(matrix)


def disturb(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Return (B, T, 64) spectra with warped frequency (±10 %), tilted by chance and with masked bands and moments."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=generator))

    disturbed = mel.clone()
    tilt = torch.linspace(-1, 1, MEL_BANDS)
    for item in disturbed:
        item.copy_(item @ warp_matrix(uniform(0.9, 1.1)))
        item += uniform(-0.15, 0.15) + uniform(-0.2, 0.2) * tilt
        for _ in range(2):
            width = int(uniform(0, 10))
            first = int(uniform(0, MEL_BANDS - width))
            item[:, first : first + width] = 0
            length = int(uniform(0, 16))
            start = int(uniform(0, len(item) - length))
            item[start : start + length] = 0
    return disturbed


class EncoderLoss:
    """Cross-entropy of phones and of voicing on random crops; in bfloat16 where ``half`` is set."""

    def __init__(self, corpus: SpeechSet, half: bool) -> None:
        self.corpus = corpus
        self.half = half

    def __call__(self, model: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss and its parts."""
        assert isinstance(model, SpeechEncoder)
        mel, phones = self.corpus.batch(batch, generator)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            logits, voicing, _ = model(disturb(mel, generator), model.initial_state(batch))
        heard, voiced = logits[:, model.delay :].float(), voicing[:, model.delay :].float()
        wanted = phones[:, : -model.delay]
        known = wanted >= 0
        phone = functional.cross_entropy(heard[known], wanted[known], _IMPORTANCE, label_smoothing=0.05)
        target = torch.from_numpy(_VOICED)[wanted[known]]
        voice = functional.binary_cross_entropy_with_logits(voiced[known], target)
        with torch.no_grad():
            right = (heard[known].argmax(dim=1) == wanted[known]).float().mean()
        figures = {"phone": float(phone.detach()), "voicing": float(voice.detach()), "right": float(right)}
        return phone + 0.3 * voice, figures


def class_accuracy(model: SpeechEncoder, sessions: list[Session]) -> dict[str, float]:
    """Return the share of frames whose phone and whose mouth class (of 14) is heard right; normalised sessions."""
    mouth = torch.tensor(MOUTH_CLASS_OF)
    merge = functional.one_hot(mouth).float()
    right_phone = right_class = right_voicing = frames = 0
    with torch.inference_mode():
        for session in sessions:
            late = np.zeros((2 * model.delay, MEL_BANDS), np.float32)
            mel = torch.from_numpy(np.concatenate([session.mel.astype(np.float32), late]))[None]
            logits, voicing, _ = model(mel, model.initial_state(1))
            posteriors = logits[0, model.delay :].softmax(dim=1)
            wanted = torch.from_numpy(session.phones.astype(np.int64))
            right_phone += int((posteriors.argmax(dim=1) == wanted).sum())
            right_class += int(((posteriors @ merge).argmax(dim=1) == mouth[wanted]).sum())
            voiced = voicing[0, model.delay :] > 0
            right_voicing += int((voiced == (torch.from_numpy(_VOICED)[wanted] > 0.5)).sum())
            frames += len(wanted)
    return {
        "phone_accuracy": right_phone / frames,
        "class_accuracy": right_class / frames,
        "voicing_accuracy": right_voicing / frames,
    }


def held_out_names() -> frozenset[str]:
    """Return the voices that are never trained on."""
    return frozenset(voice.name for voice in VOICES if voice.held_out)


def training_facts(corpus: SpeechSet, files: list[Path]) -> dict[str, object]:
    """Return what belongs into the weights file: hours of sound, voices and their licences."""
    names = {path.name.split(".")[0] for path in files} - held_out_names()
    hours = sum(len(session.phones) for session in corpus.sessions) / FRAME_RATE / 3600
    licences = {voice.name: voice.licence for voice in VOICES if voice.name in names}
    return {"hours_with_copies": round(hours, 1), "voices": licences}


def validation(sets: dict[str, SpeechSet]) -> Callable[[nn.Module], dict[str, float]]:
    """Return a function that measures accuracies on held-out voices."""

    def measure(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, SpeechEncoder)
        figures: dict[str, float] = {}
        for name, held in sets.items():
            measured = class_accuracy(model, held.sessions[:20])
            figures |= {f"{name}_{key}": value for key, value in measured.items()}
        return figures

    return measure


def main() -> None:
    """Train on every session file but those of held-out voices and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=Path, default=Path("runs/speech_sessions"))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--minutes", type=float, help="stop after this much time")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--half", action="store_true", help="compute in bfloat16 where the processor has it")
    parser.add_argument("--folder", type=Path, default=Path("runs/speech_encoder"))
    parser.add_argument("-o", "--out", type=Path, default=Path("model_server/weights/speech_encoder.safetensors"))
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    files = sorted(path for path in arguments.sessions.glob("*.npz") if ".partial" not in path.name)
    held = held_out_names()
    # A run that goes on keeps the mean it began with, whatever sessions have come since.
    prior_path = arguments.folder / "prior.npy"
    prior = np.load(prior_path, allow_pickle=False) if prior_path.exists() else None
    corpus = SpeechSet([path for path in files if path.name.split(".")[0] not in held], prior)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    np.save(prior_path, corpus.prior)
    clean = [path for path in files if path.name.split(".")[0] in held and path.name.endswith(".-1.npz")]
    sets = {path.name.split(".")[0]: SpeechSet([path], corpus.prior) for path in clean}
    facts = training_facts(corpus, files)
    print(
        f"{facts['hours_with_copies']} hours of sound to train on, held out: {', '.join(sets) or 'nothing'}", flush=True
    )
    config = SpeechEncoderConfig()
    model = SpeechEncoder(config)
    model.mel_mean.copy_(torch.from_numpy(corpus.prior))

    def save(averaged: nn.Module) -> None:
        save_checkpoint(averaged, config, arguments.out, facts)

    settings = TrainConfig(
        steps=arguments.steps, batch=16, learning_rate=2e-3, warm_up=100, average=0.995, validate_every=100
    )
    loss = EncoderLoss(corpus, arguments.half)
    train(model, loss, validation(sets), save, settings, arguments.folder, arguments.minutes)


if __name__ == "__main__":
    main()
