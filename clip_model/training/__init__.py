"""How a model is made: data, losses, schedule, recipes, distillation, averaging, runs that go on."""
