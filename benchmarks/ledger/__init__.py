"""The figures that are printed before a change, held against what the real servers then did, and the page of them."""
