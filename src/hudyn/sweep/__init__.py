"""Sweeps: which jobs a sweep has and how they ended, its table and page, and jobs trained as one population."""
