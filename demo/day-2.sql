-- What happens at the dealer's within a day: run on the warehouse that day-1.sql made.

-- Five new customers.
INSERT INTO customers VALUES
  (2001, 'noemie.garnier@example.com', 'Noémie', 'Garnier', 'FR', 'Nantes', '+33 1 99 00 77 01', '2001-07-19', 'Peugeot', true, NULL),
  (2002, 'till.brandt@example.org', 'Till', 'Brandt', 'DE', 'Münster', NULL, NULL, NULL, false, 'something electric'),
  (2003, NULL, 'Iñaki', 'Etxeberria', 'ES', 'Donostia', NULL, '1983-12-02', 'Toyota', NULL, NULL),
  (2004, 'kasia.mazur@example.net', 'Kasia', 'Mazur', 'PL', 'Lublin', NULL, NULL, NULL, true, NULL),
  (2005, 'ola@example.com', 'Ola', 'Frisk', 'SE', NULL, '+46 31 390 06 77', '1966-03-30', 'Volvo', false, NULL);

-- Zoé Lefèvre buys the electric car she wished for.
INSERT INTO purchases VALUES (9001, 1, 'car', 'Renault Scénic E-Tech', 38900, DATEADD(hour, -2, GETDATE()));
UPDATE customers SET car_wish = NULL WHERE customer_id = 1;

-- Others come for a service, or buy something small.
INSERT INTO purchases VALUES
  (9002, 1004, 'service', 'inspection', 310.5, DATEADD(hour, -9, GETDATE())),
  (9003, 1016, 'service', 'oil change', 129, DATEADD(hour, -8, GETDATE())),
  (9004, 1033, 'accessory', 'roof box', 349, DATEADD(hour, -7, GETDATE())),
  (9005, 1058, 'service', 'brakes', 480.25, DATEADD(hour, -6, GETDATE())),
  (9006, 1111, 'service', 'tyres', 620, DATEADD(hour, -5, GETDATE())),
  (9007, 1207, 'accessory', 'dog guard', 119, DATEADD(hour, -4, GETDATE())),
  (9008, 1299, 'service', 'air conditioning', 210.75, DATEADD(hour, -3, GETDATE())),
  (9009, 1350, 'service', 'inspection', 290, DATEADD(hour, -1, GETDATE()));

-- Małgorzata Wiśniewska marries and wants no more newsletters; Siobhán O'Connor moves and gives up her number.
UPDATE customers SET last_name = 'Nowak', email = 'm.nowak@example.net', newsletter = false WHERE customer_id = 3;
UPDATE customers SET city = 'Dublin', phone = NULL WHERE customer_id = 4;
UPDATE customers SET city = 'Rennes' WHERE customer_id = 1010;
UPDATE customers SET email = 'sk@example.com' WHERE customer_id = 1012;
UPDATE customers SET preferred_brand = 'Citroën' WHERE customer_id = 1017;
UPDATE customers SET car_wish = 'a convertible, before the summer' WHERE customer_id = 1025;

-- Three ask to be forgotten.
DELETE FROM purchases WHERE customer_id IN (5, 6, 7);
DELETE FROM customers WHERE customer_id IN (5, 6, 7);

-- Somebody goes through the list of rejections and mends each row.
UPDATE customers SET customer_id = 13 WHERE customer_id IS NULL;
DELETE FROM customers WHERE customer_id = 8 AND email = 'alvaro@example.com';
UPDATE customers SET email = 'jonas.becker@example.com' WHERE customer_id = 9;
UPDATE customers SET country = 'DE' WHERE customer_id = 10;
UPDATE customers SET car_wish = 'a small car for the city, with heated seats' WHERE customer_id = 11;
UPDATE customers SET phone = '+46 31 390 06 42' WHERE customer_id = 12;
