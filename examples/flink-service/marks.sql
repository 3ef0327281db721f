CREATE TABLE words (word STRING) WITH ('connector' = 'datagen', 'rows-per-second' = '1', 'fields.word.length' = '4');
CREATE TABLE marks (word STRING) WITH ('connector' = 'print');
INSERT INTO marks SELECT mark(word) FROM words;
