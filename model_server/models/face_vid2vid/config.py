"""Sizes of Face-vid2vid, from the paper's to ones that a test runs in a second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FaceVid2VidConfig:
    """Sizes of Face-vid2vid; the defaults are those of public checkpoints, near the paper's.

    Attributes:
        size: pixels of a picture's side; 4 times the side of the feature volume.
        keypoints: number of keypoints.
        volume_channels: channels of the feature volume.
        volume_depth: depth of all volumes.
        volume_blocks: residual blocks on the feature volume.
        extractor_kernel: side of the extractor's first convolution; odd.
        extractor_width: channels of the extractor's first convolution, doubled at each halving of the size.
        detector_width, detector_limit, detector_blocks: the keypoint detector's channels before its first halving,
            the most channels, and how often it halves the size.
        detector_shrink: how many times smaller the keypoint detector sees the picture.
        estimator_widths: channels of the pose estimator's five stages.
        estimator_blocks: residual blocks in the first four gaps between its stages.
        bins: angle bins of 3 degrees, the middle of all being 0.
        motion_compress: channels of the volume that the motion network sees warped by each keypoint.
        motion_width, motion_limit, motion_blocks: the same of the motion network as of the keypoint detector.
        mask_kernel: side of the last convolution of the motion network; odd.
        decoder_width: channels of the features that steer the generator.
        decoder_last: channels before the last convolution.
        decoder_blocks: SPADE blocks at the volume's size.
        spade_width: channels inside a SPADE normalisation.
        discriminator_width: channels of the discriminators' first convolution.
        discriminator_scales: how many discriminators, each seeing half the size of the one before.
        turned_flow: each keypoint's neighbourhood turns with the head, as in the paper; public checkpoints only shift.
        corner_grid: keypoints count -1 and 1 at the centres of the border cells, as public checkpoints were trained.
    """

    size: int = 256
    keypoints: int = 15
    volume_channels: int = 32
    volume_depth: int = 16
    volume_blocks: int = 6
    extractor_kernel: int = 7
    extractor_width: int = 64
    detector_width: int = 32
    detector_limit: int = 1024
    detector_blocks: int = 5
    detector_shrink: int = 4
    estimator_widths: tuple[int, ...] = (64, 256, 512, 1024, 2048)
    estimator_blocks: tuple[int, ...] = (3, 3, 5, 2)
    bins: int = 66
    motion_compress: int = 4
    motion_width: int = 32
    motion_limit: int = 1024
    motion_blocks: int = 5
    mask_kernel: int = 7
    decoder_width: int = 256
    decoder_last: int = 64
    decoder_blocks: int = 6
    spade_width: int = 128
    discriminator_width: int = 64
    discriminator_scales: int = 2
    turned_flow: bool = True
    corner_grid: bool = False

    def __post_init__(self) -> None:
        side = self.size // 4
        if self.size % 4 or side % 2**self.motion_blocks:
            raise ValueError(f"size must be a multiple of {4 * 2**self.motion_blocks}, not {self.size}")
        if self.size % (self.detector_shrink * 2**self.detector_blocks):
            raise ValueError(f"size must be a multiple of {self.detector_shrink * 2**self.detector_blocks}")
        if len(self.estimator_widths) != 5 or len(self.estimator_blocks) != 4:
            raise ValueError("the pose estimator has five widths and four numbers of blocks")
        if self.extractor_kernel % 2 == 0 or self.mask_kernel % 2 == 0 or self.bins % 2:
            raise ValueError("extractor_kernel and mask_kernel must be odd and bins even")

    @property
    def volume_side(self) -> int:
        """Width and height of the feature volume."""
        return self.size // 4
