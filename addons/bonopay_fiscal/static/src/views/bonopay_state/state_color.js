const COLORS = {
    certified: "success",
    sealed: "info",
    unknown: "info",
    to_seal: "warning",
    invalid: "danger",
    rejected: "danger",
    dead: "danger",
};

/**
 * @param {string | false} state state of a seal
 * @returns {string} contextual colour of Bootstrap
 */
export function colorOfState(state) {
    return COLORS[state] ?? "secondary";
}
