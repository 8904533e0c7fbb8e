import globals from "globals";
import js from "@eslint/js";

export default [
    js.configs.recommended,
    {
        files: ["**/*.js"],
        languageOptions: {ecmaVersion: 2024, sourceType: "module", globals: {...globals.browser, odoo: "readonly"}},
        rules: {complexity: ["error", 10], "max-lines-per-function": ["error", 60], "no-var": "error", eqeqeq: "error"},
    },
];
