"""Examples for the OpenAPI document: the figures of a branch in a month with few ratings."""

from __future__ import annotations

GOOD_RATINGS = {
    "id": "K-RVW-1",
    "title": "好评率",
    "title_en": "Good ratings",
    "measure": "share",
    "formula_version": 1,
    "numerator": 21,
    "denominator": 24,
    "n": 24,
    "value": 0.875,
    "interval": [0.6900, 0.9566],
    "target": "100 %",
    "exclusions": [
        {"name": "defaults", "title": "默认评价", "title_en": "Ratings by default", "count": 9},
        {"name": "ruled_invalid", "title": "已认定无效", "title_en": "Ruled invalid", "count": 1},
    ],
    "cells": [],
    "spreads": [],
    "notes": [{"name": "too_few", "text": "样本不足", "text_en": "Too few to conclude anything"}],
    "beside": ["K-INT-1", "K-INT-5"],
    "query": {
        "id": "K-RVW-1/1",
        "parameters": {"period": "2026-09", "unit": "BR1", "as_of": "2026-10-08T09:00:00+08:00"},
    },
}
FIGURES = {
    "period": {"name": "2026-09", "first": "2026-09-01", "last": "2026-09-30"},
    "unit": "BR1",
    "as_of": "2026-10-08T09:00:00+08:00",
    "figures": [GOOD_RATINGS],
}

ANSWERS = {"Figures": FIGURES, "FigureView": GOOD_RATINGS}
"""An example of each answer, by the name of its schema."""
