"""The demonstration: recorded runs of really trained networks, and the script that trained them."""
