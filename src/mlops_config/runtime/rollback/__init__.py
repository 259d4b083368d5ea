"""Going back: configuration, image and model as the one unit that served before."""
