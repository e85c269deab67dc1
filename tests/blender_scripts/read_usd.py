"""Read USD files with Pixar's library, without Blender: ``read_usd.py FILE OUT`` writes shapes and rates."""

import sys

import numpy as np
from pxr import Usd, UsdGeom, UsdSkel

stage = Usd.Stage.Open(sys.argv[1])
animation = UsdSkel.Animation(next(prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Animation)))
weights = animation.GetBlendShapeWeightsAttr()
codes = np.array(weights.GetTimeSamples())
np.savez(
    sys.argv[2],
    names=np.array([str(name) for name in animation.GetBlendShapesAttr().Get()]),
    seconds=codes / stage.GetTimeCodesPerSecond(),
    values=np.array([weights.Get(code) for code in codes]),
    rates=[stage.GetFramesPerSecond(), stage.GetTimeCodesPerSecond()],
    ends=[stage.GetStartTimeCode(), stage.GetEndTimeCode()],
    targets=[
        len(UsdSkel.BindingAPI(prim).GetBlendShapeTargetsRel().GetTargets())
        for prim in stage.Traverse()
        if prim.IsA(UsdGeom.Mesh)
    ],
)
