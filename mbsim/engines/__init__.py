"""What trains students: each engine repeats the physics, and is held to the reference bit for bit."""
