"""Train networks on sets of this project, and ship them."""
