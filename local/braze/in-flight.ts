/**
 * Which users have a request under way: from its receipt to the end of its answer.
 *
 * Two requests overlap also when the first ends while the second's body still arrives; so an ended request is
 * remembered as long as one that arrived before its end has not named its users.
 */

export type Ticket = { readonly receivedOrder: number; endedOrder?: number; users: readonly string[] };

export type InFlight = {
  /** A request has arrived. */
  begin(): Ticket;
  /** Its users are known now; returns those with another request that overlaps this one. */
  name(ticket: Ticket, users: readonly string[]): string[];
  /** Its answer has been sent, or its connection is gone. May be called again. */
  end(ticket: Ticket): void;
};

export function createInFlight(): InFlight {
  const ticketsByUser = new Map<string, Set<Ticket>>();
  const unnamed = new Set<Ticket>();
  let ended: Ticket[] = [];
  let events = 0;

  const forgetEnded = (): void => {
    const oldest = Math.min(...[...unnamed].map((ticket) => ticket.receivedOrder));
    const isNeeded = (ticket: Ticket): boolean => (ticket.endedOrder ?? 0) > oldest;
    for (const ticket of ended) {
      if (isNeeded(ticket)) continue;
      for (const user of ticket.users) {
        const tickets = ticketsByUser.get(user);
        tickets?.delete(ticket);
        if (tickets?.size === 0) ticketsByUser.delete(user);
      }
    }
    ended = ended.filter(isNeeded);
  };

  return {
    begin: () => {
      events += 1;
      const ticket: Ticket = { receivedOrder: events, users: [] };
      unnamed.add(ticket);
      return ticket;
    },
    name: (ticket, users) => {
      unnamed.delete(ticket);
      ticket.users = [...new Set(users)];
      const overlaps = (other: Ticket): boolean =>
        (other.endedOrder ?? Number.POSITIVE_INFINITY) > ticket.receivedOrder;
      const busy = ticket.users.filter((user) => [...(ticketsByUser.get(user) ?? [])].some(overlaps));
      // A client that went away before its request was read has nothing in flight.
      if (ticket.endedOrder !== undefined) return busy;
      for (const user of ticket.users) ticketsByUser.set(user, (ticketsByUser.get(user) ?? new Set()).add(ticket));
      return busy;
    },
    end: (ticket) => {
      if (ticket.endedOrder !== undefined) return;
      events += 1;
      ticket.endedOrder = events;
      unnamed.delete(ticket);
      ended.push(ticket);
      forgetEnded();
    },
  };
}
