"""Functions of the jobs, as Flink imports them."""

import csv

import crcmod.predefined
import cv2
import Levenshtein
import numpy
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf


class Near(ScalarFunction):
    """The name that is written most like a word."""

    def open(self, function_context):
        with open("data/mydata/names.txt", encoding="utf-8") as names:
            self.names = names.read().split()

    def eval(self, word):
        return min(self.names, key=lambda name: Levenshtein.distance(name, word))


near = udf(Near(), result_type=DataTypes.STRING())


@udf(result_type=DataTypes.DOUBLE())
def rated(city):
    with open("usrlib/rates.csv", encoding="utf-8", newline="") as rates:
        return next((float(rate) for name, rate in csv.reader(rates) if name == city), None)


@udf(result_type=DataTypes.BIGINT())
def checksum(word):
    return crcmod.predefined.mkCrcFun("crc-32")(word.encode())


@udf(result_type=DataTypes.DOUBLE())
def brightness(dark, light):
    picture = numpy.array([[dark, light]], dtype="uint8")
    return float(cv2.mean(picture)[0])
