"""Commands of this repository: generators, the environments, the machine's services, the loop."""
