"""The generators that ship with attnsearch, by name. A plain dict: pass `GENERATORS | {...}` to add."""

from attnsearch.generators.base import Generator
from attnsearch.generators.cellular_automaton import CellularAutomaton
from attnsearch.generators.linear_map import LinearMap, LinearMapAutoregressive

GENERATORS: dict[str, type[Generator]] = {
    "cellular_automaton": CellularAutomaton,
    "linear_map": LinearMap,
    "linear_map_autoregressive": LinearMapAutoregressive,
}
