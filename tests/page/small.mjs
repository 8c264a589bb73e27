// A run that is small enough for a slow machine, on digits that the page draws itself, and links that say what to train.
export const SMALL = {
    model: { preset: "mlp" },
    dataset: { name: "digits", digits: 2000, split: { standard: { validation: 200 } } },
    optimizer: { rule: { adam: {} } },
    schedule: { rate: 0.002 },
    length: { steps: 120 },
    evaluate_every: 30,
};

export const link = (config, engine) =>
    `#run=${encodeURIComponent(JSON.stringify({ version: 1, ...config }))}${engine ? `&engine=${engine}` : ""}`;
