"""Train: python train.py experiment=kmnist_lin; see README.md."""

from hudyn.cli import train

if __name__ == "__main__":
    train()
