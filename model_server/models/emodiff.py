"""EmoDiff: a transformer that denoises expression and head pose (DREAM-Talk, arXiv 2312.13578, first stage).

The condition c of the paper is audio, initial state and emotion style. Here audio is a phone track aligned frame by
frame; the initial state is any set of frames that are already known (usually the last of the previous window); the
emotion style is emotion weights over time plus the embedding of an optional style clip.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .noise import MultistepSolver, NoiseSchedule, Prediction
from .style_encoder import StyleEncoder

FACE_CHANNELS = 58
"""52 ARKit weights, head rotation (3, radians), head translation (3, metres)."""


@dataclass(frozen=True)
class EmoDiffConfig:
    """Sizes and choices of EmoDiff.

    Attributes:
        audio_features: width of the phone-track features.
        emotions: number of emotion weights.
        width, layers, heads: the transformer's size.
        patch: frames in one token.
        window: frames in one window; a multiple of ``patch``.
        style_size: length of the style embedding.
        diffusion_steps: training steps T.
        prediction: what the network predicts. The paper predicts the noise; clean data is the default because its
            errors are smooth: in a few steps the others leave visible jitter in slow channels.
    """

    audio_features: int = 45
    emotions: int = 8
    width: int = 160
    layers: int = 5
    heads: int = 5
    patch: int = 4
    window: int = 200
    style_size: int = 64
    diffusion_steps: int = 1000
    prediction: Prediction = "x0"


@dataclass(frozen=True)
class EmoDiffCondition:
    """The condition of one batch of windows.

    Attributes:
        audio: (B, W, audio_features) float32 phone-track features.
        emotion: (B, W, 8) float32 emotion weights, or None to leave the emotion to the style clip.
        style: (B, style_size) style embeddings, or None for no style clip.
        known: (B, W, 58) float32 normalised channels, meaningful where ``known_mask`` is 1.
        known_mask: (B, W, 58) float32 of zeros and ones.
    """

    audio: Tensor
    emotion: Tensor | None
    style: Tensor | None
    known: Tensor
    known_mask: Tensor


@dataclass(frozen=True)
class Guidance:
    """Scales of classifier-free guidance (Ho and Salimans 2022), one a condition.

    Attributes:
        emotion: 1 follows the emotion weights as learned, more exaggerates them.
        style: the same for the style clip.
    """

    emotion: float = 1.0
    style: float = 1.0


NO_GUIDANCE = Guidance()
"""Both conditions as learned, at a third of the work."""


class _Block(nn.Module):
    """Transformer block modulated by diffusion time and style (adaptive layer norm, Peebles and Xie 2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width, elementwise_affine=False)
        self.norm_feed = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(approximate="tanh"), nn.Linear(3 * width, width))
        self.modulate = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        batch, length, width = tokens.shape
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = self.modulate(context)[:, None].chunk(6, dim=-1)
        hidden = self.norm_attention(tokens) * (1 + scale_a) + shift_a
        q, k, v = self.qkv(hidden).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        tokens = tokens + gate_a * self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        hidden = self.norm_feed(tokens) * (1 + scale_f) + shift_f
        result: Tensor = tokens + gate_f * self.feed(hidden)
        return result


def _sinusoids(positions: Tensor, size: int) -> Tensor:
    """Return (N, size) sinusoidal embeddings of (N,) positions (Vaswani et al. 2017)."""
    rates = torch.exp(-math.log(10000) * torch.arange(size // 2, device=positions.device) / (size // 2))
    angles = positions.float()[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class EmoDiff(nn.Module):
    """The denoiser with its style encoder, schedule and channel statistics: everything sampling needs."""

    channel_mean: Tensor
    channel_scale: Tensor
    positions: Tensor

    def __init__(self, config: EmoDiffConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch
        self.schedule = NoiseSchedule(config.diffusion_steps, config.prediction)
        self.style_encoder = StyleEncoder(FACE_CHANNELS, 96, config.style_size)
        self.embed_face = nn.Linear(3 * FACE_CHANNELS * patch, width)
        self.embed_audio = nn.Conv1d(config.audio_features, width, 2 * patch + 1, stride=patch, padding=patch)
        self.embed_emotion = nn.Linear(config.emotions * patch, width)
        self.embed_style = nn.Linear(config.style_size, width)
        self.no_audio = nn.Parameter(torch.zeros(width))
        self.no_emotion = nn.Parameter(torch.zeros(width))
        self.no_style = nn.Parameter(torch.zeros(width))
        self.embed_time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_Block(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, FACE_CHANNELS * 2 * patch)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        tokens = config.window // patch
        self.register_buffer("positions", _sinusoids(torch.arange(tokens), width), persistent=False)
        self.register_buffer("channel_mean", torch.zeros(FACE_CHANNELS))
        self.register_buffer("channel_scale", torch.ones(FACE_CHANNELS))

    def normalise(self, face: Tensor) -> Tensor:
        """Return (..., 58) channels in training units."""
        return (face - self.channel_mean) / self.channel_scale

    def denormalise(self, face: Tensor) -> Tensor:
        """Return (..., 58) channels in ARKit weights, radians and metres."""
        return face * self.channel_scale + self.channel_mean

    def embed_clip(self, clip: Tensor) -> Tensor:
        """Return (B, style_size) style embeddings of (B, T, 58) clips in ARKit weights, radians and metres."""
        embedding: Tensor = self.style_encoder(self.normalise(clip))
        return embedding

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        condition: EmoDiffCondition,
        drop_audio: Tensor | None = None,
        drop_emotion: Tensor | None = None,
        drop_style: Tensor | None = None,
    ) -> Tensor:
        """Predict the schedule's target.

        Args:
            x_t: (B, W, 58) noisy normalised channels.
            t: (B,) int64 diffusion steps.
            condition: what is known.
            drop_audio, drop_emotion, drop_style: (B,) bool; True replaces that condition by its learned absence
                (for classifier-free guidance). The emotion weights and the style clip drop apart.

        Returns:
            (B, W, 58) prediction.
        """
        batch, window, _ = x_t.shape
        patch = self.config.patch
        tokens_count = window // patch
        face = torch.cat([x_t, condition.known * condition.known_mask, condition.known_mask], dim=2)
        audio = self.embed_audio(condition.audio.transpose(1, 2)).transpose(1, 2)
        audio = _replace(audio, self.no_audio, drop_audio)
        if condition.emotion is None:
            emotion = self.no_emotion.expand(batch, tokens_count, -1)
        else:
            embedded = self.embed_emotion(condition.emotion.reshape(batch, tokens_count, -1))
            emotion = _replace(embedded, self.no_emotion, drop_emotion)
        tokens = self.embed_face(face.reshape(batch, tokens_count, -1)) + audio + emotion
        tokens = tokens + self.positions[:tokens_count]
        if condition.style is None:
            style = self.no_style.expand(batch, -1)
        else:
            style = _replace(self.embed_style(condition.style), self.no_style, drop_style)
        context = nn.functional.silu(self.embed_time(_sinusoids(t, self.config.width)) + style)
        for block in self.blocks:
            tokens = block(tokens, context)
        pieces = self.head(self.norm(tokens)).float()
        return self._overlap_add(pieces.view(batch, tokens_count, 2 * patch, FACE_CHANNELS))

    def _overlap_add(self, pieces: Tensor) -> Tensor:
        """Return (B, N * patch, 58) from the (B, N, 2 * patch, 58) that each token says of itself and half a
        neighbour on either side, cross-faded: no step where tokens meet."""
        batch, count, double, channels = pieces.shape
        patch = double // 2
        fade = torch.sin(torch.pi * (torch.arange(double, device=pieces.device) + 0.5) / double) ** 2
        weighted = pieces * fade.view(1, 1, -1, 1)
        total = pieces.new_zeros(batch, count + 1, patch, channels)
        total[:, :-1] += weighted[:, :, :patch]
        total[:, 1:] += weighted[:, :, patch:]
        # The two fades sum to one everywhere but beyond the first and the last token.
        total[:, 0] /= fade[:patch].view(-1, 1)
        total[:, -1] /= fade[patch:].view(-1, 1)
        return total.reshape(batch, -1, channels)[:, patch // 2 : -(patch // 2)]

    @torch.no_grad()
    def sample(
        self,
        condition: EmoDiffCondition,
        noise: Tensor,
        steps: int,
        guidance: Guidance = NO_GUIDANCE,
        before_step: Callable[[], None] | None = None,
    ) -> Tensor:
        """Draw performances with the second-order multistep solver DPM-Solver++ (Lu et al. 2022).

        Deterministic: all chance is in ``noise``.

        Args:
            condition: the condition; known frames and channels come back exactly as given.
            noise: (B, W, 58) standard normal starting noise.
            steps: sampling steps.
            guidance: scales of classifier-free guidance.
            before_step: called before each step; may raise to stop.

        Returns:
            (B, W, 58) normalised channels.
        """
        solver = MultistepSolver(self.schedule, steps)
        x_t = noise
        for step in solver.steps:
            if before_step is not None:
                before_step()
            t = torch.full((len(x_t),), step, device=x_t.device)
            x0 = self._guided_x0(x_t, t, condition, guidance)
            x0 = torch.where(condition.known_mask > 0, condition.known, x0)
            x_t = solver.advance(x_t, x0)
        return x_t

    def _guided_x0(self, x_t: Tensor, t: Tensor, condition: EmoDiffCondition, guidance: Guidance) -> Tensor:
        """Return the clean data of a guided prediction, each condition exaggerated by its own scale.

        Without the conditions, then with the emotion, then with the style clip as well: each adds its difference,
        times its scale (Brooks et al. 2023 guide two conditions so).
        """
        if guidance == NO_GUIDANCE:
            return self.schedule.to_x0(self(x_t, t, condition), x_t, t)
        batch = len(x_t)
        # One batch of three: with both conditions, with the emotion alone, with neither.
        thrice = EmoDiffCondition(
            condition.audio.repeat(3, 1, 1),
            None if condition.emotion is None else condition.emotion.repeat(3, 1, 1),
            None if condition.style is None else condition.style.repeat(3, 1),
            condition.known.repeat(3, 1, 1),
            condition.known_mask.repeat(3, 1, 1),
        )
        number = torch.arange(3 * batch, device=x_t.device) // batch
        prediction = self(x_t.repeat(3, 1, 1), t.repeat(3), thrice, None, number == 2, number >= 1)
        both, emotion, neither = self.schedule.to_x0(prediction, x_t.repeat(3, 1, 1), t.repeat(3)).chunk(3)
        return neither + guidance.emotion * (emotion - neither) + guidance.style * (both - emotion)


def _replace(embedding: Tensor, absence: Tensor, drop: Tensor | None) -> Tensor:
    """Replace the rows of ``embedding`` that ``drop`` (B,) marks by the learned ``absence``."""
    if drop is None:
        return embedding
    return torch.where(drop.view(-1, *([1] * (embedding.dim() - 1))), absence, embedding)
