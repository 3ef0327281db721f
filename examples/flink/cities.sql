CREATE TEMPORARY TABLE told (city STRING, loud STRING, rate DOUBLE, crc BIGINT, light DOUBLE) WITH ('connector' = 'print');

INSERT INTO told
SELECT city, upper(city), rated(city), checksum(city), brightness(10, 30)
FROM (SELECT near(word) AS city FROM (VALUES ('Pariss'), ('Rom')) AS words(word)) AS cities;
