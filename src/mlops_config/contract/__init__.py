"""What the four files may say: reading them, their models, the rules over them, and what is found."""
