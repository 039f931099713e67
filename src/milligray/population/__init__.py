"""Populations of synthetic persons on disk: CT, labels and a list that other commands take."""

from milligray.population.run import PopulationOptions, PopulationSummary, make_population

__all__ = ["PopulationOptions", "PopulationSummary", "make_population"]
