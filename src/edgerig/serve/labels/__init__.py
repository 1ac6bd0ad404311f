"""Labelling in a page: operations of several people, their journal, and the labels that come of them."""
