"""Families of sequences with a known map: what each must offer, and by name the families that ship.

A registry is a plain dict: pass `GENERATORS | {"mine": Mine}` to add to it.
"""

from attnsearch.generators.associative_recall import AssociativeRecall
from attnsearch.generators.base import Generator as Generator
from attnsearch.generators.cellular_automaton import CellularAutomaton
from attnsearch.generators.competing_routes import CompetingRoutes
from attnsearch.generators.copy import Copy
from attnsearch.generators.induction import Induction
from attnsearch.generators.k_of_m_recall import KOfMRecall
from attnsearch.generators.linear_map import LinearMap, LinearMapAutoregressive
from attnsearch.generators.mixture import Mixture
from attnsearch.generators.moving_window_sum import MovingWindowSum
from attnsearch.generators.multi_hop import MultiHop
from attnsearch.generators.selective_copy import SelectiveCopy
from attnsearch.generators.single_location import SingleLocation
from attnsearch.generators.trigger_copy import TriggerCopy

GENERATORS: dict[str, type[Generator]] = {
    "associative_recall": AssociativeRecall,
    "cellular_automaton": CellularAutomaton,
    "competing_routes": CompetingRoutes,
    "copy": Copy,
    "induction": Induction,
    "k_of_m_recall": KOfMRecall,
    "linear_map": LinearMap,
    "linear_map_autoregressive": LinearMapAutoregressive,
    "mixture": Mixture,
    "moving_window_sum": MovingWindowSum,
    "multi_hop": MultiHop,
    "selective_copy": SelectiveCopy,
    "single_location": SingleLocation,
    "trigger_copy": TriggerCopy,
}
