package com.example;

import org.apache.flink.table.functions.ScalarFunction;

public class Upper extends ScalarFunction {
    public String eval(String word) {
        return word.toUpperCase();
    }
}
