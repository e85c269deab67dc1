"""The speech encoder's training: sessions of many voices, disturbed once more, and its loss."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_server.audio.features import MEL_BANDS, RunningMean, mel_edges
from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.phones import MOUTH_CLASS_OF, PHONES, VOICELESS
from model_server.errors import ConfigError
from model_server.models.speech_encoder import SpeechEncoder

from .compute import PROCESSOR, Compute
from .configs import EncoderTraining, SpeechData
from .loop import Validate
from .performance_training import Prepared, Progress
from .speech_corpus.engines import VOICES

# A closure that is missed looks worse than any other mistake.
_IMPORTANCE = torch.tensor([1.5 if phone in ("p", "b", "m", "f", "v") else 1.0 for phone in PHONES])
_VOICED = np.array([phone not in VOICELESS for phone in PHONES], np.float32)
_SHORTEST = 50
_DECIDES = "validation_wrong_classes"
_VALIDATED_SESSIONS = 20


@dataclass(frozen=True)
class SpeechExample:
    """Log-mel spectra (2 T, 64) at 100 frames a second and phones (T,) at 50, frame by frame in step."""

    mel: npt.NDArray[np.float16]
    phones: npt.NDArray[np.uint8]


def read_speech(path: Path) -> list[SpeechExample]:
    """Return the spectra and phones of a session file, without what else is in it."""
    with np.load(path, allow_pickle=False) as data:
        edges = np.cumsum(data["counts"])[:-1]
        mels, phones = np.split(data["mel"], 2 * edges), np.split(data["phones"], edges)
    pairs = zip(mels, phones, strict=True)
    return [SpeechExample(mel, labels) for mel, labels in pairs if len(labels) > _SHORTEST]


def voice_of(path: Path) -> str:
    """Return the name of the voice in a session file, ``<voice>.<copy>.npz``."""
    return path.name.split(".")[0]


class SpeechSet:
    """Sessions in memory, normalised as the listener does it.

    Args:
        files: session files, ``<voice>.<copy>.npz``.
        prior: (64,) mean spectrum of speech to start from; None to measure it in the files.
        weights: how often each voice is drawn from, times its length; 1 for those not in it.

    Raises:
        ConfigError: when there are no sessions.
    """

    def __init__(
        self,
        files: Sequence[Path],
        prior: npt.NDArray[np.float32] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.sessions: list[SpeechExample] = []
        chances: list[float] = []
        for path in files:
            read = read_speech(path)
            self.sessions += read
            weight = (weights or {}).get(voice_of(path), 1.0)
            chances += [len(session.phones) * weight for session in read]
        if not self.sessions:
            raise ConfigError("there are no speech sessions to learn from; make them with 'dreamtalk corpus'")
        self.prior = mean_speech(self.sessions) if prior is None else prior
        for index, session in enumerate(self.sessions):
            mel = RunningMean(self.prior).push(session.mel.astype(np.float32)).astype(np.float16)
            self.sessions[index] = SpeechExample(mel, session.phones)
        self.chances = torch.tensor(chances)

    def batch(self, count: int, crop: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return random crops: normalised log-mel (B, 2 * crop, 64) and phones (B, crop), -1 where no sound is."""
        mel = torch.zeros(count, 2 * crop, MEL_BANDS)
        phones = torch.full((count, crop), -1, dtype=torch.long)
        for row, index in enumerate(torch.multinomial(self.chances, count, True, generator=generator).tolist()):
            session = self.sessions[index]
            frames = len(session.phones)
            first = int(torch.randint(0, max(1, frames - crop + 1), (1,), generator=generator))
            length = min(crop, frames - first)
            mel[row, : 2 * length] = torch.from_numpy(session.mel[2 * first : 2 * (first + length)].astype(np.float32))
            phones[row, :length] = torch.from_numpy(session.phones[first : first + length].astype(np.int64))
        return mel, phones


def mean_speech(sessions: Sequence[SpeechExample]) -> npt.NDArray[np.float32]:
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
    """Cross-entropy of phones and of voicing on random crops.

    Args:
        corpus: what is drawn from.
        crop: phone frames of an example.
        compute: where the model is, and its precision.
    """

    def __init__(self, corpus: SpeechSet, crop: int, compute: Compute = PROCESSOR) -> None:
        self.corpus = corpus
        self.crop = crop
        self.compute = compute
        self.importance = compute.put(_IMPORTANCE)
        self.voiced = compute.put(_VOICED)

    def __call__(self, model: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss and its parts."""
        assert isinstance(model, SpeechEncoder)
        put = self.compute.put
        mel, phones = self.corpus.batch(batch, self.crop, generator)
        mel = put(disturb(mel, generator))
        with self.compute.autocast():
            logits, voicing, _ = model(mel, [put(state) for state in model.initial_state(batch)])
        heard, voiced = logits[:, model.delay :].float(), voicing[:, model.delay :].float()
        wanted = put(phones[:, : -model.delay])
        known = wanted >= 0
        phone = functional.cross_entropy(heard[known], wanted[known], self.importance, label_smoothing=0.05)
        target = self.voiced[wanted[known]]
        voice = functional.binary_cross_entropy_with_logits(voiced[known], target)
        with torch.no_grad():
            right = (heard[known].argmax(dim=1) == wanted[known]).float().mean()
        figures = {"phone": float(phone.detach()), "voicing": float(voice.detach()), "right": float(right)}
        return phone + 0.3 * voice, figures


def class_accuracy(
    model: SpeechEncoder, sessions: Sequence[SpeechExample], compute: Compute = PROCESSOR
) -> dict[str, float]:
    """Return the share of frames whose phone and whose mouth class (of 14) is heard right; normalised sessions."""
    mouth = torch.tensor(MOUTH_CLASS_OF)
    merge = functional.one_hot(mouth).float()
    right_phone = right_class = right_voicing = frames = 0
    with torch.inference_mode():
        for session in sessions:
            late = np.zeros((2 * model.delay, MEL_BANDS), np.float32)
            mel = compute.put(np.concatenate([session.mel.astype(np.float32), late]))[None]
            with compute.autocast():
                logits, voicing, _ = model(mel, [compute.put(state) for state in model.initial_state(1)])
            posteriors = logits[0, model.delay :].float().softmax(dim=1).cpu()
            wanted = torch.from_numpy(session.phones.astype(np.int64))
            right_phone += int((posteriors.argmax(dim=1) == wanted).sum())
            right_class += int(((posteriors @ merge).argmax(dim=1) == mouth[wanted]).sum())
            voiced = voicing[0, model.delay :].cpu() > 0
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


def voice_weights(names: Sequence[str], data: SpeechData) -> dict[str, float]:
    """Return how often each voice is drawn from, times its length: by pattern, else by whether it is human."""
    humans = {voice.name for voice in VOICES if voice.human}
    weights = {}
    for name in names:
        usual = data.human_weight if name in humans else 1.0
        matching = (weight for pattern, weight in data.weights.items() if fnmatch.fnmatch(name, pattern))
        weights[name] = next(matching, usual)
    return weights


def training_facts(corpus: SpeechSet, files: Sequence[Path]) -> dict[str, object]:
    """Return what belongs into the weights file: hours of sound, voices and their licences."""
    names = {voice_of(path) for path in files}
    hours = sum(len(session.phones) for session in corpus.sessions) / FRAME_RATE / 3600
    licences = {voice.name: voice.licence for voice in VOICES if voice.name in names}
    return {"hours_with_copies": round(hours, 1), "voices": licences}


def validation(sets: Mapping[str, SpeechSet], compute: Compute) -> Validate:
    """Return a function that measures accuracies on held-out voices, and the mean share of wrong mouth classes."""

    def measure(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, SpeechEncoder)
        figures: dict[str, float] = {}
        wrong: list[float] = []
        for name, held in sets.items():
            measured = class_accuracy(model, held.sessions[:_VALIDATED_SESSIONS], compute)
            figures |= {f"validation_{name}_{key}": value for key, value in measured.items()}
            wrong.append(1 - measured["class_accuracy"])
        return {_DECIDES: float(np.mean(wrong)), **figures} if wrong else {}

    return measure


def session_files(folders: Sequence[str]) -> list[Path]:
    """Return the session files of all folders.

    Raises:
        ConfigError: when there are none.
    """
    found = [path for folder in folders for path in sorted(Path(folder).glob("*.npz")) if ".partial" not in path.name]
    if not found:
        raise ConfigError(f"no speech sessions in {', '.join(folders)}; make them with 'dreamtalk corpus'")
    return found


def prepare(
    config: EncoderTraining, start: SpeechEncoder | None, compute: Compute, progress: Progress = None
) -> Prepared:
    """Return what the loop needs to train the encoder, with the mean spectrum of ``start`` or of the data."""
    files = session_files(config.data.folders)
    held = held_out_names()
    trained = [path for path in files if voice_of(path) not in held]
    prior = None if start is None else start.mel_prior()
    corpus = SpeechSet(trained, prior, voice_weights([voice_of(path) for path in trained], config.data))
    clean = [path for path in files if voice_of(path) in held and path.name.endswith(".-1.npz")]
    # Two folders may hold the same clean voice.
    sets = {voice_of(path): SpeechSet([path], corpus.prior) for path in reversed(clean)}
    model = SpeechEncoder(config.model) if start is None else start
    model.mel_mean.copy_(torch.from_numpy(corpus.prior))
    loss = EncoderLoss(corpus, config.data.crop, compute)
    return Prepared(model, loss, validation(sets, compute), training_facts(corpus, trained), _DECIDES)
