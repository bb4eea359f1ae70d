"""What is simulated: teachers, students, rules and observables, each once."""
