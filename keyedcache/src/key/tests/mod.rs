mod golden;
mod identity;
mod model;
mod properties;
