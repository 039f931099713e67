"""One command, `milligray`. No physics, no file formats: thin calls of the stages."""
