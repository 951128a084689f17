"""Where a diagnosis draws its lines, and why there. What is a matter of degree has its line here and nowhere else."""

from __future__ import annotations

# The work: rows that are looked at, evenly taken, and the net inputs, activations and inputs of all layers that they
# may have together, so that memory and time are bounded whatever the data and the network.
MOST_ROWS, MOST_NUMBERS, FEWEST_ROWS = 10_000, 10_000_000, 100

# Columns that are compared with each other, and rows that this is done with: the time is that of one matrix product.
MOST_COMPARED, ROWS_COMPARED = 2_000, 2_000

# A range test of learning rates takes about 200,000 forward passes of one row: with so many weights, half a second.
MOST_PARAMETERS_TO_TEST = 200_000

# Inputs do well with a mean near 0 and a deviation near 1 (LeCun et al., "Efficient BackProp", 1998). An order of
# magnitude more, or an offset of ten deviations, makes a descent a hundred times worse conditioned.
LARGE, OFFSET = 10.0, 10.0

# A column whose values are so much smaller than the largest scaled one is not heard beside it.
SMALLER = 100.0

# Where all columns are below this, and rows are shorter than the next, net inputs hardly differ from row to row.
SMALL, SHORT_ROW = 0.1, 0.3

# From this share of zeros, 0 means "absent" (pixels, words, one-hot): a column of zeros is what does not occur.
SPARSE = 0.25

# Two columns with this correlation share 99.9 % of their variance. (In real tables the radius and the perimeter of
# tumours reach 0.998, and the length and the width of diamonds 0.9990: measured both, and not copied.)
COPY = 0.9995

# Values that are in fewer rows than this, such as those of a pixel at the edge, say nothing of a column.
ROWS_TO_SEE = 10

# Targets are learnt at the scale of the outputs, which starts near 1.
LARGE_TARGETS, SMALL_TARGETS = 10.0, 0.01

# From 9 to 1, sets are called highly imbalanced (Fernandez et al., 2008, and the KEEL repository after them); it
# matters where less than half of the rarest class is recognised.
IMBALANCE, RECALL = 9.0, 0.5

# Labels numbered 0, 1, 2, ... in one column of integers: up to so many classes, with so many rows each.
MOST_CLASSES, ROWS_PER_CLASS = 20, 5

# Rows that are wrong by this much, through a sigmoid that is flat there: 1 in 20 of them holds squared error back.
CONFIDENT, CONFIDENTLY_WRONG = 0.9, 0.05

# A unit is saturated on a row where its slope is below this share of its steepest: |tanh z| > 0.99; and as a whole if
# that is so on most rows (Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
# AISTATS 2010, who watch the same quantiles). It is told from this share of a layer's units on.
FLAT, SATURATED_ROWS, SATURATED_UNITS = 0.02, 0.8, 0.25

# Relus that are never active make a layer narrower. Networks that learn well lose a third of a layer on the way, most
# of all from inputs that are all positive; two in five are what a course of Stanford's (CS231n) names for learning
# rates that are too high.
DEAD_UNITS = 0.4

# Weights a hundred times smaller than Glorot & Bengio's, of a whole layer: training brings none there but by a penalty.
SHRUNK = 0.01

# Back-propagated gradients grow or fall exponentially with depth where initial weights and activations do not suit
# each other (Glorot & Bengio, 2010). Measured with 32 neurons a layer, on digits and with plain SGD: the norm of the
# gradient by net inputs stays between 0.5 and 10 times that of the outputs with up to eight layers of tanh or relu,
# which learn; with sigmoid it falls to 0.07, 0.015 and 0.003 in two, three and four layers, which learn, learn little,
# and do not.
VANISHING, EXPLODING = 1 / 200, 200.0

# From this share of what can be learnt on, a network has learnt: small gradients and flat units are as they should be.
LEARNT = 0.9

# Below this share it has not: it is as good as the mean, or the frequencies of the classes.
NOT_LEARNT = 0.05

# Curves shorter than this say nothing.
FEWEST_EPOCHS = 5

# What follows is relative to the loss of the best constant outputs.
# A run whose loss ends so much above its beginning went uphill; one that rises in a third of its epochs, and moves up
# and down by this much from epoch to epoch, is thrown about.
UPHILL, THROWN_ABOUT, RISES = 0.02, 0.05, 1 / 3

# A loss that falls by this much over the last fifth of a run is still falling. It falls in a straight line if it does
# so at half the pace of the beginning or more: then the steps are too small.
STILL_FALLING, STRAIGHT = 0.02, 0.5

# A run that moved the loss by less than this went nowhere, and a range test that lowers it by this much shows a way.
NOWHERE, A_WAY = 0.02, 0.1

# The validation loss rose by these shares of its lowest value, and of that of constant outputs; or it is above the
# training loss by half of what can be learnt.
ROSE, ROSE_OF_PLAIN, GAP = 0.1, 0.05, 0.5
