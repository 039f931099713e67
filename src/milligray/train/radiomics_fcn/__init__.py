"""Radiomics network: tables of organs, fits, comparators, recipe and study."""
