"""Writes keras/: what Keras' CSVLogger and TensorBoard callbacks leave of one small classifier.

    python -m venv V && V/bin/pip install 'keras==3.15.1' 'tensorflow-cpu==2.21.0' tensorboard
    V/bin/python write_keras.py

The TensorBoard callback writes through TensorFlow whichever backend trains.
"""

from pathlib import Path

import keras
import numpy as np

HERE = Path(__file__).parent / "keras"
EPOCHS = 6


def main() -> None:
    """Train once, then resume into the same file, then train with validation on every second epoch only."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(256, 8)).astype("float32"), rng.integers(0, 3, 256)
    x[np.arange(256), y] += 2.0
    data = {"x": x[:192], "y": y[:192], "validation_data": (x[192:], y[192:]), "batch_size": 32, "verbose": 0}
    HERE.mkdir(exist_ok=True)
    model = classifier()
    callbacks = [
        keras.callbacks.CSVLogger(HERE / "training.csv"),
        keras.callbacks.TensorBoard(HERE / "logs", write_graph=False),
    ]
    model.fit(**data, epochs=EPOCHS, callbacks=callbacks)
    again = keras.callbacks.CSVLogger(HERE / "training.csv", append=True)
    model.fit(**data, epochs=EPOCHS + 2, initial_epoch=EPOCHS, callbacks=[again])
    sparse = keras.callbacks.CSVLogger(HERE / "every_second.csv", separator=";")
    classifier().fit(**data, epochs=EPOCHS, validation_freq=2, callbacks=[sparse])
    batches = keras.callbacks.TensorBoard(HERE / "by_batch", update_freq=1, write_graph=False)
    classifier().fit(**data, epochs=3, callbacks=[batches])


def classifier() -> keras.Model:
    """Two layers, three classes."""
    model = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    main()
