/** Addresses of dashboards in Grafana, as `gridwarden grafana` names them. Pure. */

/** The address of a dashboard in the language shown, with chosen variables; empty when there is no Grafana. */
export function grafanaAddress(
  grafana: string,
  board: string,
  language: string,
  chosen: Readonly<Record<string, string>>,
): string {
  if (!grafana) return "";
  const short = language.startsWith("zh") ? "zh" : "en";
  const variables = Object.entries(chosen).map(([name, value]) => [`var-${name}`, value]);
  const query = new URLSearchParams(variables).toString();
  return `${grafana}/d/gridwarden-${board}-${short}${query ? `?${query}` : ""}`;
}
