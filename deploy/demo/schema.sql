CREATE TABLE stock (
    id integer PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    cents integer NOT NULL,
    quantity integer NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX stock_name ON stock (name text_pattern_ops);

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item integer NOT NULL REFERENCES stock (id),
    cents integer NOT NULL,
    state text NOT NULL DEFAULT 'taken',
    taken timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);

INSERT INTO stock
SELECT
    id,
    'item-' || lpad((id % 100)::text, 2, '0') || '-' || id,
    (SELECT string_agg(md5((id * 100 + word)::text), ' ') FROM generate_series(1, 40) AS word),
    100 + id * 37 % 9900,
    1000
FROM generate_series(1, 5000) AS id;

ALTER TABLE stock OWNER TO shop;

ALTER TABLE orders OWNER TO shop;
