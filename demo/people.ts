/**
 * The people of the demo: those whom the story tells of by name, the rows that are wrong, and a crowd around them, made
 * from lists of names by a seeded generator, so that everybody who runs it sees the same.
 *
 * Nobody here exists: addresses end in the domains of RFC 2606, and telephone numbers are of the ranges that national
 * regulators keep free for films and books.
 */

export type Customer = {
  readonly id: number | null;
  readonly email: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly country: string;
  readonly city: string | null;
  readonly phone: string | null;
  readonly birthDate: string | null;
  readonly brand: string | null;
  readonly newsletter: boolean | null;
  readonly wish: string | null;
};

export type Purchase = {
  readonly customerId: number;
  readonly kind: 'car' | 'service' | 'accessory';
  readonly item: string;
  readonly amount: number;
  /** Hours between the purchase and the loading of the data. */
  readonly hoursAgo: number;
};

const DAY_HOURS = 24;
/** A car counts as recent for this long: see the group in parameters/demo.yaml. */
const RECENT_DAYS = 180;

const nobody: Customer = {
  id: null,
  email: null,
  firstName: '',
  lastName: '',
  country: 'FR',
  city: null,
  phone: null,
  birthDate: null,
  brand: null,
  newsletter: null,
  wish: null,
};

/** Customers whom the story follows: by name in the text, by number in day-2.sql. */
export const NAMED: readonly Customer[] = [
  {
    ...{ id: 1, firstName: 'Zoé', lastName: 'Lefèvre', country: 'FR', city: 'Lyon', email: 'zoe.lefevre@example.com' },
    ...{ phone: '+33 1 99 00 12 34', birthDate: '1988-04-12', brand: 'Renault', newsletter: true },
    wish: 'an electric car with room for two child seats',
  },
  {
    ...{ id: 2, firstName: 'Henrik', lastName: 'Sjöberg', country: 'SE', city: 'Göteborg' },
    ...{ email: 'henrik.sjoberg@example.org', phone: '+46 31 390 06 12', birthDate: '1971-11-30', brand: 'Volvo' },
    ...{ newsletter: true, wish: null },
  },
  {
    ...{ id: 3, firstName: 'Małgorzata', lastName: 'Wiśniewska', country: 'PL', city: 'Łódź' },
    ...{ email: 'm.wisniewska@example.net', phone: null, birthDate: '1994-02-28', brand: 'Škoda', newsletter: true },
    wish: null,
  },
  {
    ...{ id: 4, firstName: 'Siobhán', lastName: "O'Connor", country: 'IE', city: 'Galway' },
    ...{ email: 'siobhan@example.com', phone: '+353 20 913 0042', birthDate: null, brand: null, newsletter: null },
    wish: null,
  },
  {
    ...nobody,
    id: 5,
    firstName: 'Lucía',
    lastName: 'Ibáñez',
    country: 'ES',
    city: 'Cádiz',
    email: 'lucia@example.org',
  },
  { ...nobody, id: 6, firstName: 'Jörg', lastName: 'Müller', country: 'DE', city: 'Köln', newsletter: false },
  { ...nobody, id: 7, firstName: 'Ffion', lastName: 'Hughes', country: 'GB', email: 'ffion.hughes@example.com' },
];

/** Rows as they come from a real till: each of them has one thing wrong. Day 2 mends them all. */
export const DIRTY: readonly Customer[] = [
  { ...nobody, firstName: 'Jürgen', lastName: 'Weiß', country: 'DE', email: 'juergen.weiss@example.com' },
  { ...nobody, id: 8, firstName: 'Álvaro', lastName: 'Núñez', country: 'ES', email: 'alvaro@example.com' },
  { ...nobody, id: 8, firstName: 'Álvaro', lastName: 'Núñez', country: 'ES', email: 'alvaro.nunez@example.org' },
  { ...nobody, id: 9, firstName: 'Jonas', lastName: 'Becker', country: 'DE', email: 'jonas.becker(at)example.com' },
  { ...nobody, id: 10, firstName: 'Greta', lastName: 'Schäfer', country: 'Germany', email: 'greta@example.net' },
  {
    ...{ ...nobody, id: 11, firstName: 'Maëlle', lastName: 'Rousseau', email: 'maelle.rousseau@example.com' },
    wish: `a small car for the city, ${'with heated seats, and with a roof that opens, '.repeat(6)}and soon`,
  },
  { ...nobody, id: 12, firstName: 'Elin', lastName: 'Åkesson', country: 'SE', phone: 'ask for Elin, after five' },
];

const NAMED_PURCHASES: readonly Purchase[] = [
  { customerId: 1, kind: 'car', item: 'Renault Clio, used', amount: 8900, hoursAgo: 900 * DAY_HOURS },
  { customerId: 1, kind: 'service', item: 'inspection', amount: 290, hoursAgo: 520 * DAY_HOURS },
  { customerId: 1, kind: 'service', item: 'winter tyres', amount: 540.5, hoursAgo: 300 * DAY_HOURS },
  // Half a day before and, a day later, half a day after the limit, at whatever hour the demo is run.
  { customerId: 2, kind: 'car', item: 'Volvo XC60', amount: 52400, hoursAgo: (RECENT_DAYS - 0.5) * DAY_HOURS },
  { customerId: 2, kind: 'accessory', item: 'tow bar', amount: 780, hoursAgo: 170 * DAY_HOURS },
  { customerId: 3, kind: 'service', item: 'brakes', amount: 410.25, hoursAgo: 45 * DAY_HOURS },
  { customerId: 4, kind: 'car', item: 'Toyota Yaris, used', amount: 11900, hoursAgo: 1200 * DAY_HOURS },
  { customerId: 5, kind: 'accessory', item: 'roof box', amount: 349, hoursAgo: 700 * DAY_HOURS },
  { customerId: 9, kind: 'service', item: 'inspection', amount: 260, hoursAgo: 80 * DAY_HOURS },
];

const CROWD = 400;
const FIRST_CROWD_ID = 1001;

type Country = {
  readonly code: string;
  readonly firstNames: readonly string[];
  readonly lastNames: readonly string[];
  readonly cities: readonly string[];
  /** Returns a number of the range kept free for fiction, where the country has one. */
  readonly phone?: (index: number) => string;
};

const two = (number: number): string => String(number).padStart(2, '0');
const words = (text: string): readonly string[] => text.split(' ');

const COUNTRIES: readonly Country[] = [
  {
    code: 'FR',
    firstNames: words('Chloé Théo Inès Raphaël Léa Noël Anaïs François Océane Benoît'),
    lastNames: words('Dubois Lefebvre Gérard Béranger Périer Château Gauthier Noël Faure Hébert'),
    cities: words('Paris Nîmes Besançon Orléans Lille Saint-Étienne'),
    phone: (index) => `+33 1 99 00 ${two(Math.floor(index / 100) % 100)} ${two(index % 100)}`,
  },
  {
    code: 'DE',
    firstNames: words('Jürgen Käthe Björn Änne Sören Ute Götz Hanna Rüdiger Lena'),
    lastNames: words('Müller Schröder Groß Jäger Köhler Böhm Weiß Krüger Vogel Hübner'),
    cities: words('München Köln Düsseldorf Gießen Leipzig Lübeck'),
    phone: (index) => `+49 30 23125${String(index % 1000).padStart(3, '0')}`,
  },
  {
    code: 'ES',
    firstNames: words('María José Lucía Ángel Begoña Íñigo Sofía Raúl Nuria Andrés'),
    lastNames: words('García Núñez Peña Gómez Ibáñez Muñoz Ruiz Vázquez Ordóñez Cortés'),
    cities: ['Málaga', 'Cádiz', 'A Coruña', 'Logroño', 'Madrid', 'León'],
  },
  {
    code: 'PL',
    firstNames: words('Łukasz Zofia Paweł Świętosława Michał Żaneta Stanisław Grażyna Józef Ewa'),
    lastNames: words('Wójcik Kowalczyk Dąbrowska Zieliński Szymańska Woźniak Król Wróbel Gołąb Pająk'),
    cities: words('Kraków Gdańsk Wrocław Poznań Łódź Rzeszów'),
  },
  {
    code: 'SE',
    firstNames: words('Åsa Björn Märta Håkan Saga Göran Elin Sören Linnéa Nils'),
    lastNames: words('Åberg Sjöström Lindqvist Öberg Nyström Bäck Holm Söderlund Berg Ström'),
    cities: words('Malmö Göteborg Västerås Örebro Luleå Kalmar'),
    phone: (index) => `+46 31 390 06 ${two(index % 100)}`,
  },
  {
    code: 'GB',
    firstNames: words('Amelia Oliver Isla Rhys Megan Callum Siân Harry Niamh George'),
    lastNames: words('Smith Jones MacLeod Davies Wright Hughes Campbell Walker Evans Reid'),
    cities: words('London Leeds Cardiff Glasgow Bristol Belfast'),
    phone: (index) => `+44 20 7946 0${String(index % 1000).padStart(3, '0')}`,
  },
];

type Car = { readonly brand: string; readonly model: string; readonly price: number };

const CARS: readonly Car[] = [
  { brand: 'Renault', model: 'Clio', price: 21900 },
  { brand: 'Renault', model: 'Austral', price: 38500 },
  { brand: 'Peugeot', model: '208', price: 23400 },
  { brand: 'Peugeot', model: '5008', price: 44900 },
  { brand: 'Citroën', model: 'C3', price: 17900 },
  { brand: 'Škoda', model: 'Fabia', price: 19800 },
  { brand: 'Škoda', model: 'Enyaq', price: 46200 },
  { brand: 'Volkswagen', model: 'Golf', price: 31500 },
  { brand: 'Volvo', model: 'EX30', price: 37900 },
  { brand: 'Toyota', model: 'Corolla', price: 33100 },
];
const SERVICES = ['inspection', 'oil change', 'brakes', 'tyres', 'air conditioning'] as const;
const ACCESSORIES = ['roof box', 'dog guard', 'tow bar', 'charging cable'] as const;
const WISHES = [
  'an estate with a tow bar',
  'something electric',
  'a first car for our daughter',
  'automatic, any colour',
];

/** Returns numbers from 0 to 1 that are the same in every run: mulberry32, a public domain generator. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Returns the dealer's customers and purchases: the named ones first, then the crowd. */
export function dealer(): { readonly customers: readonly Customer[]; readonly purchases: readonly Purchase[] } {
  const random = seeded(20);
  const upTo = (count: number): number => Math.floor(random() * count);
  const one = <T>(list: readonly T[]): T => {
    const item = list[upTo(list.length)];
    if (item === undefined) throw new Error('the list is empty');
    return item;
  };
  const maybe = <T>(chance: number, value: () => T): T | null => (random() < chance ? value() : null);

  const customers = [...NAMED, ...DIRTY];
  const purchases = [...NAMED_PURCHASES];
  for (let index = 0; index < CROWD; index++) {
    const id = FIRST_CROWD_ID + index;
    const { code, firstNames, lastNames, cities, phone } = one(COUNTRIES);
    const firstName = one(firstNames);
    const lastName = one(lastNames);
    const car = one(CARS);
    customers.push({
      id,
      firstName,
      lastName,
      country: code,
      email: maybe(0.93, () => `${plain(firstName)}.${plain(lastName)}${index}@example.${one(['com', 'org', 'net'])}`),
      city: maybe(0.9, () => one(cities)),
      phone: phone ? maybe(0.6, () => phone(index)) : null,
      birthDate: maybe(0.7, () => `${1944 + upTo(62)}-${two(1 + upTo(12))}-${two(1 + upTo(28))}`),
      brand: maybe(0.8, () => car.brand),
      newsletter: maybe(0.85, () => random() < 0.55),
      wish: maybe(0.12, () => one(WISHES)),
    });
    purchases.push(...purchasesOf(id, car, { random, upTo, one }));
  }
  return { customers, purchases };
}

type Dice = {
  readonly random: () => number;
  readonly upTo: (count: number) => number;
  readonly one: <T>(list: readonly T[]) => T;
};

function purchasesOf(customerId: number, { brand, model, price }: Car, { random, upTo, one }: Dice): Purchase[] {
  const made: Purchase[] = [];
  if (random() < 0.45) {
    const isUsed = random() < 0.5;
    const amount = isUsed ? Math.round((price * (0.35 + random() * 0.35)) / 100) * 100 : price;
    made.push({
      ...{ customerId, kind: 'car', item: `${brand} ${model}${isUsed ? ', used' : ''}`, amount },
      hoursAgo: clearOfTheLimit(DAY_HOURS * (2 + upTo(1400))),
    });
  }
  for (let service = upTo(4); service > 0; service--) {
    const amount = Math.round((90 + random() * 800) * 4) / 4;
    made.push({ customerId, kind: 'service', item: one(SERVICES), amount, hoursAgo: DAY_HOURS + upTo(30_000) });
  }
  if (random() < 0.2) {
    const amount = 40 + upTo(500);
    made.push({ customerId, kind: 'accessory', item: one(ACCESSORIES), amount, hoursAgo: DAY_HOURS + upTo(30_000) });
  }
  return made;
}

/** Only one customer is to leave the group within the days of the story: no other car is near the limit. */
function clearOfTheLimit(hoursAgo: number): number {
  const days = hoursAgo / DAY_HOURS;
  return Math.abs(days - RECENT_DAYS) < 10 ? hoursAgo + 20 * DAY_HOURS : hoursAgo;
}

/** Letters without their accents, for an address. */
const plain = (name: string): string =>
  name
    .normalize('NFD')
    .replace(/[ł]/gi, 'l')
    .replace(/[ø]/gi, 'o')
    .replaceAll('ß', 'ss')
    .replace(/[^a-z]/gi, '')
    .toLowerCase();
