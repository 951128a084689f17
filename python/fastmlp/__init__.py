from .reference import Network
from .reference.optimizers import SGD, Adam
__version__ = "0.1.0"
