"""Separates the person from the background: a network's coarse matte, refined by the photograph's own colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import cg

from .arrays import Bytes, Floats, Reals
from .fit import PortraitFit, without_native_noise
from .photo import Photo

Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

_CROPS = (2.2, 3.2)  # face widths on each side of the face that the network sees besides the whole picture
_WORKING_FACE = 240.0  # pixels of face width at which edges are refined
_WORKING_SIDE = 1000.0
_BAND = 0.03  # face widths on each side of the coarse edge in which the fine edge is looked for
_PRIOR = 0.008  # how much the network's own value counts inside the band
_COLOUR_NOISE = 1e-4  # variance of colours, 0..1, that is no structure
_TRUSTED_AGREEMENT, _TRUSTED_FACE = 0.8, 0.9


@dataclass(frozen=True)
class PersonMatte:
    """How much of each pixel is the person.

    Attributes:
        alpha: (H, W) float32 in [0, 1].
        separable: False where no person could be told from the background, as in many drawings; alpha is then 1.
    """

    alpha: Floats
    separable: bool


def person_matte(photo: Photo, fit: PortraitFit) -> PersonMatte:
    """Return the matte of the person of ``fit``: the photograph's own opacity, or one that is found."""
    if photo.opacity is not None:
        return PersonMatte(photo.opacity.astype(np.float32) / 255, True)
    coarse, trusted = _coarse_matte(photo.pixels, fit)
    if not trusted:
        return PersonMatte(np.ones(photo.pixels.shape[:2], np.float32), False)
    alpha = _refined(photo.pixels, coarse, fit.face_width)
    return PersonMatte(np.maximum(_connected(alpha, fit), _face_cover(alpha.shape, fit)), True)


def _coarse_matte(pixels: Bytes, fit: PortraitFit) -> tuple[Floats, bool]:
    """Return (H, W) the mean of what the network says of several crops, and whether these agree on a person."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    size = (pixels.shape[0], pixels.shape[1])
    total, count = np.zeros(size, np.float32), np.zeros(size, np.float32)
    least, most = np.ones(size, np.float32), np.zeros(size, np.float32)
    areas = [(slice(0, size[0]), slice(0, size[1])), *(_around(fit, side, size) for side in _CROPS)]
    with without_native_noise(), SelfieSegmentation(model_selection=0) as segmentation:
        for index, area in enumerate(areas):
            # A mirrored crop makes an independent vote.
            flip = 1 if index % 2 == 0 else -1
            crop = np.ascontiguousarray(pixels[area][:, ::flip])
            seen = segmentation.process(crop).segmentation_mask[:, ::flip].astype(np.float32)
            total[area] += seen
            count[area] += 1
            least[area] = np.minimum(least[area], seen)
            most[area] = np.maximum(most[area], seen)
    near = _around(fit, _CROPS[0], size)
    agreement = float(least[near].sum() / max(float(most[near].sum()), 1.0))
    coarse = total / count
    face = float(coarse[_face_cover(size, fit) > 0.5].mean())
    filled = float((coarse[near] > 0.5).mean())
    trusted = agreement > _TRUSTED_AGREEMENT and face > _TRUSTED_FACE and filled < 0.98
    return coarse, trusted


def _around(fit: PortraitFit, faces: float, size: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns within ``faces`` face widths of the face's middle."""
    column, row = fit.points.mean(axis=0)
    reach = faces * fit.face_width
    return (
        slice(max(0, int(row - reach)), min(size[0], int(row + reach) + 1)),
        slice(max(0, int(column - reach)), min(size[1], int(column + reach) + 1)),
    )


def _face_cover(size: tuple[int, ...], fit: PortraitFit) -> Floats:
    """Return (H, W) in [0, 1], the inside of the face: it is the person whatever else is found."""
    middle = fit.points.mean(axis=0)
    hull = cv2.convexHull(np.round(middle + 0.9 * (fit.points - middle)).astype(np.int32))
    face = cv2.fillConvexPoly(np.zeros(size[:2], np.float32), hull, 1.0)
    return np.asarray(cv2.GaussianBlur(face, (0, 0), 0.02 * fit.face_width), np.float32)


def _connected(alpha: Floats, fit: PortraitFit) -> Floats:
    """Return ``alpha`` without what does not hang together with the face, such as other people."""
    _, labels = cv2.connectedComponents((alpha > 0.25).astype(np.uint8))
    column, row = np.clip(fit.points.mean(axis=0), 0, np.array(alpha.shape[::-1]) - 1).astype(int)
    if labels[row, column] == 0:
        return alpha
    own = (labels == labels[row, column]).astype(np.uint8)
    reach = 2 * max(1, round(2 * _BAND * fit.face_width)) + 1
    near = cv2.dilate(own, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray(alpha * cv2.GaussianBlur(near.astype(np.float32), (0, 0), 1.0), np.float32)


def _refined(pixels: Bytes, coarse: Floats, face_width: float) -> Floats:
    """Return (H, W) in [0, 1]: the coarse matte with its edge laid where the colours change, hair included."""
    shrink = min(1.0, _WORKING_FACE / face_width, _WORKING_SIDE / max(coarse.shape))
    size = (round(coarse.shape[1] * shrink), round(coarse.shape[0] * shrink))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if shrink < 1 else pixels
    rough = cv2.resize(coarse, size, interpolation=cv2.INTER_AREA) if shrink < 1 else coarse
    reach = 2 * max(2, round(_BAND * face_width * shrink)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    person = cv2.erode((rough > 0.9).astype(np.uint8), disc, borderValue=1)
    behind = cv2.erode((rough < 0.1).astype(np.uint8), disc, borderValue=1)
    unknown = (person + behind) == 0
    alpha = person.astype(np.float32)
    if unknown.any():
        alpha = closed_form_matte(small.astype(np.float32) / 255, alpha, unknown, rough)
    # A thin veil of neither is noise, not hair.
    alpha = np.clip((alpha - 0.06) / 0.88, 0, 1)
    if shrink < 1:
        wide = cv2.resize(alpha, coarse.shape[::-1], interpolation=cv2.INTER_LINEAR)
        guide = pixels.astype(np.float32) / 255
        alpha = np.clip(cv2.ximgproc.guidedFilter(guide, wide, max(2, round(2 / shrink)), 1e-4), 0, 1)
    return np.asarray(alpha, np.float32)


def closed_form_matte(image: Floats, known: Floats, unknown: Flags, prior: Floats) -> Floats:
    """Return (H, W) float32 in [0, 1], the opacity that the colours of ``image`` ask for.

    Method: Levin, Lischinski, Weiss, "A closed-form solution to natural image matting" (2008).

    Args:
        image: (H, W, 3) in [0, 1].
        known: (H, W) opacity where it is known.
        unknown: (H, W) bool, where it is sought.
        prior: (H, W) a guess of it, which counts a little.
    """
    index = np.full(known.shape, -1, np.int64)
    index[unknown] = np.arange(np.count_nonzero(unknown))
    rows, columns, values, right = _matting_laplacian(image, index, known)
    count = int(index.max()) + 1
    matrix = sparse.coo_matrix((values, (rows, columns)), (count, count)).tocsr()
    matrix += _PRIOR * sparse.identity(count)
    right = right + _PRIOR * prior[unknown]
    scale = sparse.diags(1 / matrix.diagonal())
    solution, _ = cg(matrix, right, x0=prior[unknown].astype(np.float64), rtol=1e-4, maxiter=300, M=scale)
    alpha = known.astype(np.float32).copy()
    alpha[unknown] = np.clip(solution, 0, 1)
    return alpha


def _matting_laplacian(image: Floats, index: Indices, known: Floats) -> tuple[Indices, Indices, Reals, Reals]:
    """Return row, column and value of the Laplacian's entries among unknown pixels, and the known ones' share."""
    width = index.shape[1]
    touched = cv2.dilate((index >= 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    touched[[0, -1]] = touched[:, [0, -1]] = 0
    y, x = np.nonzero(touched)
    step_y, step_x = (a.ravel() - 1 for a in np.mgrid[:3, :3])
    flat = (y[:, None] + step_y) * width + x[:, None] + step_x
    colours = image.reshape(-1, 3)[flat].astype(np.float64)
    centred = colours - colours.mean(axis=1, keepdims=True)
    spread = np.einsum("nki,nkj->nij", centred, centred) / 9 + _COLOUR_NOISE / 9 * np.eye(3)
    affinity = (1 + centred @ np.linalg.inv(spread) @ centred.swapaxes(1, 2)) / 9
    entries = np.eye(9) - affinity
    numbers = index.ravel()[flat]
    first = np.repeat(numbers[:, :, None], 9, axis=2)
    second = np.repeat(numbers[:, None, :], 9, axis=1)
    inner = (first >= 0) & (second >= 0)
    outer = (first >= 0) & (second < 0)
    opacity = np.repeat(known.ravel()[flat][:, None, :], 9, axis=1)
    right = np.bincount(first[outer], -(entries * opacity)[outer], minlength=int(index.max()) + 1)
    return np.asarray(first[inner]), np.asarray(second[inner]), entries[inner], np.asarray(right, np.float64)
