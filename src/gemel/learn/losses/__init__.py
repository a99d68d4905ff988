"""What the network is asked to do with pairs and triplets: one idea per file."""

from __future__ import annotations

from gemel.learn.losses.arcface import ArcFace
from gemel.learn.losses.base import Knows, Loss, Term
from gemel.learn.losses.bce import CrossEntropy
from gemel.learn.losses.circle import Circle
from gemel.learn.losses.contrastive import Contrastive
from gemel.learn.losses.cosent import CoSENT
from gemel.learn.losses.cosface import CosFace
from gemel.learn.losses.infonce import InfoNCE
from gemel.learn.losses.lifted import Lifted
from gemel.learn.losses.matryoshka import Matryoshka
from gemel.learn.losses.memory import Memory
from gemel.learn.losses.multiplenegatives import MultipleNegatives, NPair
from gemel.learn.losses.multisimilarity import MultiSimilarity
from gemel.learn.losses.named import NAMED, build, weights_of
from gemel.learn.losses.pearson import Pearson
from gemel.learn.losses.proxyanchor import ProxyAnchor
from gemel.learn.losses.pytorchmetriclearning import PytorchMetricLearning
from gemel.learn.losses.regression import Regression
from gemel.learn.losses.sigmoid import Sigmoid
from gemel.learn.losses.simclr import SimCLR
from gemel.learn.losses.softmax import Softmax
from gemel.learn.losses.supcon import SupCon
from gemel.learn.losses.triplet import Triplet
from gemel.learn.losses.vicreg import VICReg
from gemel.learn.losses.weightedsum import WeightedSum

__all__ = [
    "NAMED",
    "ArcFace",
    "Circle",
    "CoSENT",
    "Contrastive",
    "CosFace",
    "CrossEntropy",
    "InfoNCE",
    "Knows",
    "Lifted",
    "Loss",
    "Matryoshka",
    "Memory",
    "MultiSimilarity",
    "MultipleNegatives",
    "NPair",
    "Pearson",
    "ProxyAnchor",
    "PytorchMetricLearning",
    "Regression",
    "Sigmoid",
    "SimCLR",
    "Softmax",
    "SupCon",
    "Term",
    "Triplet",
    "VICReg",
    "WeightedSum",
    "build",
    "weights_of",
]
