"""Figures: what they are and how they are taken. `make bench` prints them."""
