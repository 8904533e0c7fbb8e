"""The HTTP face: assembly, problems, published description. Routes live with their capabilities."""
