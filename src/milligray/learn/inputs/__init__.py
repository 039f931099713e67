"""What networks see of a scan; training and prediction compute it by the same functions."""
