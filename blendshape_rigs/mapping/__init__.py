"""Rig-to-rig mappings: how the 52 ARKit channels drive the shapes or bones of any other character."""

from .bones import BoneChannel, BoneMotion, bone_motion, motion_of_targets
from .catalogue import Profile, profile, profiles
from .matching import auto_map, map_with
from .model import Mapping, MappingEntry, MappingError, MappingReport
from .steps import ShapeEvent

__all__ = [
    "BoneChannel",
    "BoneMotion",
    "Mapping",
    "MappingEntry",
    "MappingError",
    "MappingReport",
    "Profile",
    "ShapeEvent",
    "auto_map",
    "bone_motion",
    "map_with",
    "motion_of_targets",
    "profile",
    "profiles",
]
