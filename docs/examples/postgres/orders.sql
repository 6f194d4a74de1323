-- 10,000 orders, a minute apart. psql "$WEIR_SECRET_ORDERS_DB" -f orders.sql
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  amount numeric(12, 2) NOT NULL,
  state text NOT NULL,
  at timestamptz NOT NULL
);
INSERT INTO orders
SELECT i, i % 997 + 0.25, CASE WHEN i % 10 = 0 THEN 'open' ELSE 'paid' END, timestamptz '2026-01-01 00:00+00' + i * interval '1 min'
FROM generate_series(1, 10000) AS i;
